package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

func TestWithoutASidecarARawReplySaysWhatToStart(t *testing.T) {
	sf := aMount(t)
	for _, request := range []*logical.Request{
		sf.request(logical.UpdateOperation, "rotate/crm", nil),
		sf.request(logical.ReadOperation, "static-roles/crm", nil),
		sf.request(logical.ListOperation, "config/", nil),
		sf.request(logical.DeleteOperation, "config/prod", nil),
		sf.request(logical.ReadOperation, "of/a/later/release", nil),
	} {
		told := sf.send(request)
		equal(t, request.Path, told.status, http.StatusServiceUnavailable)
		equal(t, request.Path, told.body["code"], "no_sidecar")
		if !strings.Contains(told.sentence(), "sf/sidecar/<instance>") {
			t.Errorf("%s: %s", request.Path, told.sentence())
		}
	}
}

func TestAForwardedRequestIsSignedAndSaysWhoAsked(t *testing.T) {
	sf := aMount(t)
	door := newSidecar(t, sf)
	door.answer(http.StatusOK, fields{"data": fields{"done": true, "version": 2}, "warnings": []string{"mind the gap"}})
	request := sf.request(logical.UpdateOperation, "rotate/crm", fields{"wait": 3, "force": true})
	answered := sf.send(request)
	equal(t, "status", answered.status, http.StatusOK)
	equal(t, "data", answered.Data, fields{"done": true, "version": 2})
	equal(t, "warnings", answered.Warnings, []string{"mind the gap"})

	seen := door.requests()
	if len(seen) != 1 {
		t.Fatalf("%d requests came", len(seen))
	}
	equal(t, "method", seen[0].method, http.MethodPost)
	equal(t, "path", seen[0].path, "/v1/rotate/crm")
	equal(t, "body", seen[0].body, fields{"wait": 3, "force": true})
	equal(t, "jti", seen[0].claims["jti"], request.ID)
	equal(t, "operation", seen[0].claims["operation"], "update")
	equal(t, "caller", seen[0].claims["caller"], fields{
		"request_id":     request.ID,
		"display_name":   "approle",
		"entity_id":      "an-entity",
		"accessor":       "an-accessor",
		"remote_address": "127.0.0.1",
	})
}

func TestEachOperationReachesTheSidecarByItsMethod(t *testing.T) {
	sf := aMount(t)
	door := newSidecar(t, sf)
	door.answer(http.StatusOK, fields{"data": fields{"keys": []string{"a"}}})
	for operation, method := range map[logical.Operation]string{
		logical.CreateOperation: http.MethodPost,
		logical.UpdateOperation: http.MethodPost,
		logical.PatchOperation:  http.MethodPatch,
		logical.ReadOperation:   http.MethodGet,
		logical.DeleteOperation: http.MethodDelete,
		logical.ListOperation:   http.MethodGet,
	} {
		path := fmt.Sprintf("config/%s", operation)
		sf.expect(http.StatusOK, operation, path, nil)
		seen := door.requests()
		last := seen[len(seen)-1]
		equal(t, "method", last.method, method)
		equal(t, "operation", last.claims["operation"], operation)
	}
}

func TestWhatASidecarRefusesOrAcceptsIsHandedOnWhole(t *testing.T) {
	sf := aMount(t)
	door := newSidecar(t, sf)
	for _, status := range []int{400, 404, 409, 424, 429, 503} {
		document := fields{"errors": []string{"a sentence."}, "code": "a_code", "retry_after_seconds": 7}
		door.answer(status, document)
		told := sf.expect(status, logical.UpdateOperation, "static-roles/crm", fields{"config": "prod"})
		equal(t, "body", told.body, document)
	}
	door.answer(http.StatusAccepted, fields{"data": fields{"state": "rotating"}})
	accepted := sf.expect(http.StatusAccepted, logical.UpdateOperation, "rotate/crm", nil)
	equal(t, "body", accepted.body, fields{"data": fields{"state": "rotating"}})
	door.answer(http.StatusNoContent, nil)
	sf.expect(http.StatusNoContent, logical.UpdateOperation, "static-roles/crm", fields{"config": "prod"})
	sf.expect(http.StatusNotFound, logical.ReadOperation, "static-roles/crm", nil)
}

func TestASidecarThatDoesNotKnowTheKeyRegistersWhileTheRequestWaits(t *testing.T) {
	sf := aMount(t)
	door := newSidecar(t, sf)
	door.answer(http.StatusOK, fields{"data": fields{"done": true}})
	door.forget()
	equal(t, "done", sf.expect(200, logical.UpdateOperation, "rotate/crm", nil).Data["done"], true)
	equal(t, "requests that were let in", len(door.requests()), 1)
}

func TestASidecarWritesBackWhileItsRequestIsForwarded(t *testing.T) {
	sf := aMount(t)
	door := newSidecar(t, sf)
	door.answerBy(func(arrived) (int, any) {
		sf.publish("crm", 5, nil)
		return http.StatusOK, fields{"data": fields{"version": sf.read("static-creds/crm").Data["version"]}}
	})
	equal(t, "version", sf.expect(200, logical.UpdateOperation, "rotate/crm", nil).Data["version"], 5)
}

func TestAServerWithAnotherCertificateGetsNothing(t *testing.T) {
	sf := aMount(t)
	door := newSidecar(t, sf)
	sf.write("sidecar/"+instance, registration(door.URL, anyCertificate(t)))
	told := sf.expect(http.StatusServiceUnavailable, logical.UpdateOperation, "unlock/crm", nil)
	equal(t, "code", told.body["code"], "no_sidecar_reached")
	// A process as young as this one cannot know whether the one before it passed a rotation on: no 5xx.
	young := sf.expect(http.StatusOK, logical.UpdateOperation, "rotate/crm", nil)
	equal(t, "done", young.Data["done"], false)
	equal(t, "requests", len(door.requests()), 0)
}

func TestALostAnswerToARotationIsNoErrorThatClientsSendAgain(t *testing.T) {
	sf := aMount(t)
	door := newSidecar(t, sf)
	door.answer(http.StatusBadGateway, "a proxy's page")
	lost := sf.expect(http.StatusOK, logical.UpdateOperation, "rotate/crm", nil)
	equal(t, "done", lost.Data["done"], false)
	equal(t, "warnings", len(lost.Warnings), 1)
	sf.expect(http.StatusFailedDependency, logical.UpdateOperation, "static-roles/crm", fields{"config": "prod"})
}

func TestAClientThatGoesAwayFreesItsRequest(t *testing.T) {
	sf := aMount(t)
	door := newSidecar(t, sf)
	came, goOn := make(chan struct{}), make(chan struct{})
	door.answerBy(func(arrived) (int, any) {
		close(came)
		<-goOn
		return http.StatusNoContent, nil
	})
	ctx, cancel := context.WithCancel(sf.ctx)
	gone := make(chan error, 1)
	go func() {
		_, err := sf.HandleRequest(ctx, sf.request(logical.UpdateOperation, "rotate/crm", nil))
		gone <- err
	}()
	<-came
	cancel()
	select {
	case err := <-gone:
		if err == nil || !(errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "canceled")) {
			t.Errorf("%v", err)
		}
	case <-time.After(patience / 4):
		t.Error("it still waits")
	}
	sf.publish("crm", 1, nil)
	close(goOn)
}

func TestTheEndOfTheLastLeaseWakesASidecar(t *testing.T) {
	sf := aMount(t)
	door := newSidecar(t, sf)
	sf.publish("crm", 1, nil)
	lease, data := sf.lend("crm")
	before := door.woken()
	if err := sf.revoke("crm", lease, data); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a wake", func() bool { return door.woken() > before })
	told := sf.write("sidecar/"+instance, registration(door.URL, pemOf(door.Certificate()))).Data
	marks, ok := told["due"].([]any)
	if !ok || len(marks) != 1 {
		t.Fatalf("due: %v", told["due"])
	}
	equal(t, "role", marks[0].(fields)["role"], "crm")
}
