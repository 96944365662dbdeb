package conformance

import (
	"context"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
)

// lend reads a credential under a lease, and gives the lease as the server's expiration manager keeps it.
func (m *mount) lend(role string) (*logical.Secret, fields) {
	m.test.Helper()
	lent := m.read("creds/" + role)
	if lent.Secret == nil {
		m.test.Fatal("it is not leased")
	}
	return lent.Secret, lent.Data
}

// renew asks for a lease to go on, as the server does; the answer replaces what the server keeps.
func (m *mount) renew(role string, lease *logical.Secret, increment time.Duration) *logical.Secret {
	m.test.Helper()
	asked := *lease
	asked.Increment = increment
	answered := m.send(m.placed(logical.RenewRequest("creds/"+role, &asked, nil)))
	if answered.err != nil || answered.Response == nil || answered.Secret == nil {
		m.test.Fatalf("renew: %v", answered.err)
	}
	return answered.Secret
}

// revoke ends a lease as the server does: with the answer that was given with it, and a time limit.
func (m *mount) revoke(role string, lease *logical.Secret, data fields) error {
	ctx, cancel := context.WithTimeout(m.ctx, patience)
	defer cancel()
	_, err := m.HandleRequest(ctx, m.placed(logical.RevokeRequest("creds/"+role, lease, data)))
	return err
}

func (m *mount) placed(request *logical.Request) *logical.Request {
	request.Storage, request.MountPoint, request.MountAccessor = m.storage, "sf/", accessor
	return request
}

func TestALeaseCarriesAllThatTheServerKeepsOfIt(t *testing.T) {
	sf := aMount(t)
	sf.publish("crm", 1, nil)
	begin := time.Now().Add(-time.Second)
	lease, data := sf.lend("crm")
	equal(t, "password", data["password"], "Password-1")
	equal(t, "TTL", lease.TTL, 10*time.Minute)
	equal(t, "MaxTTL", lease.MaxTTL, 24*time.Hour)
	equal(t, "renewable", lease.Renewable, true)
	equal(t, "enabled", lease.LeaseEnabled(), true)
	if lease.IssueTime.Before(begin) || lease.IssueTime.After(time.Now().Add(time.Second)) {
		t.Errorf("issued at %s", lease.IssueTime)
	}
	for _, name := range []string{"secret_type", "role", "version", "rotation_id"} {
		if lease.InternalData[name] == nil {
			t.Errorf("the internal data has no %s: %v", name, lease.InternalData)
		}
	}
	for name, value := range lease.InternalData {
		if value == "Password-1" || value == "Token1" {
			t.Errorf("the internal data holds a secret, as %s", name)
		}
	}
}

func TestARenewalOfTheCurrentVersionIsWholeAndInFull(t *testing.T) {
	sf := aMount(t)
	sf.publish("crm", 1, nil)
	lease, _ := sf.lend("crm")
	renewed := sf.renew("crm", lease, time.Hour)
	equal(t, "TTL", renewed.TTL, 10*time.Minute)
	equal(t, "renewable", renewed.Renewable, true)
	equal(t, "internal data", renewed.InternalData, lease.InternalData)
	if !renewed.IssueTime.Round(time.Millisecond).Equal(lease.IssueTime.Round(time.Millisecond)) {
		t.Errorf("issued at %s, not %s", renewed.IssueTime, lease.IssueTime)
	}
	again := sf.renew("crm", renewed, 0)
	equal(t, "a renewal of the renewed", again.InternalData, lease.InternalData)
}

func TestARenewalOfASupersededVersionHasTwoSecondsLeft(t *testing.T) {
	sf := aMount(t)
	sf.publish("crm", 1, nil)
	lease, _ := sf.lend("crm")
	sf.publish("crm", 2, nil)
	renewed := sf.renew("crm", lease, time.Hour)
	equal(t, "TTL", renewed.TTL, 2*time.Second)
	equal(t, "renewable", renewed.Renewable, true)
	equal(t, "internal data", renewed.InternalData, lease.InternalData)
	// The server truncates both times to the second.
	age := time.Now().Truncate(time.Second).Sub(renewed.IssueTime.Truncate(time.Second))
	if left := renewed.MaxTTL - age; left > 2*time.Second || left < 0 {
		t.Errorf("%s are left of MaxTTL", left)
	}
}

func TestTheEndOfTheLastLeaseMakesItsVersionDueOnce(t *testing.T) {
	sf := aMount(t)
	sf.publish("crm", 1, nil)
	first, firstData := sf.lend("crm")
	second, secondData := sf.lend("crm")

	if err := sf.revoke("crm", first, firstData); err != nil {
		t.Fatal(err)
	}
	equal(t, "marks after one of two", len(sf.due()), 0)
	renewed := sf.renew("crm", second, 0)
	if err := sf.revoke("crm", renewed, nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := sf.revoke("crm", second, secondData); err != nil {
			t.Fatalf("a second time: %v", err)
		}
	}
	marks := sf.due()
	if len(marks) != 1 {
		t.Fatalf("marks after the last: %v", marks)
	}
	mark := marks[0].(fields)
	equal(t, "role", mark["role"], "crm")
	equal(t, "version", mark["version"], 1)

	brief, _ := sf.lend("crm")
	equal(t, "a lease on a version that is due", brief.TTL, 9*time.Second)
	equal(t, "the longest that a client may ask for", brief.MaxTTL, 10*time.Second)
	sf.publish("crm", 2, nil)
	equal(t, "marks after the next version", len(sf.due()), 0)
}

func TestTheEndOfALeaseOnASupersededVersionMeansNothing(t *testing.T) {
	sf := aMount(t)
	sf.publish("crm", 1, nil)
	lease, data := sf.lend("crm")
	sf.publish("crm", 2, nil)
	if err := sf.revoke("crm", lease, data); err != nil {
		t.Fatal(err)
	}
	equal(t, "marks", len(sf.due()), 0)
}

func TestAMountThatIsDisabledMarksNothing(t *testing.T) {
	sf := aMount(t)
	sf.publish("crm", 1, nil)
	lease, data := sf.lend("crm")
	sf.view.tainted.Store(true)
	if err := sf.revoke("crm", lease, data); err != nil {
		t.Fatal(err)
	}
	sf.view.tainted.Store(false)
	equal(t, "marks", len(sf.due()), 0)
}

func TestARevocationThatMeansNothingHereSucceeds(t *testing.T) {
	sf := aMount(t)
	sf.publish("crm", 1, nil)
	lease, data := sf.lend("crm")
	stranger := *lease
	stranger.InternalData = fields{"secret_type": lease.InternalData["secret_type"]}
	if err := sf.revoke("crm", &stranger, data); err != nil {
		t.Errorf("internal data of another release: %v", err)
	}
	gone := *lease
	gone.InternalData = maps.Clone(lease.InternalData)
	gone.InternalData["role"] = "gone"
	if err := sf.revoke("gone", &gone, data); err != nil {
		t.Errorf("a role that is gone: %v", err)
	}
}

func TestTheTickLeavesALeaseThatLivesAlone(t *testing.T) {
	sf := aMount(t)
	sf.publish("crm", 1, nil)
	lease, data := sf.lend("crm")
	if err := sf.tick(); err != nil {
		t.Fatal(err)
	}
	equal(t, "marks", len(sf.due()), 0)
	equal(t, "records", len(sf.leases("crm")), 1)
	if err := sf.revoke("crm", lease, data); err != nil {
		t.Fatal(err)
	}
	equal(t, "marks", len(sf.due()), 1)
	equal(t, "records", len(sf.leases("crm")), 0)
}

// leases are the names of the live leases that storage has.
func (m *mount) leases(role string) []string {
	m.test.Helper()
	names, err := m.storage.List(m.ctx, "leases/"+role+"/")
	if err != nil {
		m.test.Fatal(err)
	}
	return names
}

// tick is the server's once-a-minute request.
func (m *mount) tick() error {
	_, err := m.HandleRequest(m.ctx, m.placed(logical.RollbackRequest("")))
	return err
}

func TestAParameterThatNoLeaseHasIsAWarningAndNoMore(t *testing.T) {
	sf := aMount(t)
	sf.publish("crm", 1, nil)
	asked := sf.expect(http.StatusOK, logical.ReadOperation, "creds/crm", fields{"ttl": "99h"})
	equal(t, "TTL", asked.Secret.TTL, 10*time.Minute)
	equal(t, "warnings", len(asked.Warnings), 1)
}
