package conformance

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

const instance = "one"

// sidecar plays a sidecar's door: TLS with a certificate of its own, and nothing done without the plugin's signature.
type sidecar struct {
	*httptest.Server
	mount *mount

	mutex   sync.Mutex
	key     ed25519.PublicKey
	answers func(seen arrived) (int, any)
	seen    []arrived
	wakes   int
}

// arrived is a request whose signature was good.
type arrived struct {
	method, path string
	body         fields
	claims       fields
}

// newSidecar starts one that is registered at the mount.
func newSidecar(t *testing.T, at *mount) *sidecar {
	t.Helper()
	made := &sidecar{mount: at, answers: func(arrived) (int, any) { return http.StatusNoContent, nil }}
	made.Server = httptest.NewUnstartedServer(http.HandlerFunc(made.serve))
	made.TLS = &tls.Config{Certificates: []tls.Certificate{newCertificate(t)}}
	made.Config.ErrorLog = log.New(io.Discard, "", 0) // a refused certificate is what some tests are about
	made.StartTLS()
	t.Cleanup(made.Close)
	made.register()
	return made
}

// registration is what a sidecar writes with each heartbeat.
func registration(url, certificate string) fields {
	return fields{"url": url, "certificate": certificate, "version": "0.1.0", "contract": 1}
}

// newCertificate makes a key and signs a certificate with it.
func newCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// anyCertificate is the certificate of a server that is nowhere.
func anyCertificate(t *testing.T) string {
	t.Helper()
	return pemOf(newCertificate(t).Leaf)
}

func pemOf(certificate *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))
}

// register writes a heartbeat, and believes the key that is answered.
func (s *sidecar) register() {
	told := s.mount.write("sidecar/"+instance, registration(s.URL, pemOf(s.Certificate()))).Data
	block, _ := pem.Decode([]byte(fmt.Sprint(told["public_key"])))
	if block == nil {
		s.mount.test.Errorf("no public key: %v", told)
		return
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		s.mount.test.Error(err)
		return
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.key = key.(ed25519.PublicKey)
}

// forget makes it one that has not met this plugin process.
func (s *sidecar) forget() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.key = nil
}

func (s *sidecar) serve(writer http.ResponseWriter, request *http.Request) {
	if request.Method == http.MethodPost && request.URL.Path == "/wake" {
		s.mutex.Lock()
		s.wakes++
		s.mutex.Unlock()
		writer.WriteHeader(http.StatusNoContent)
		return
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		s.mount.test.Error(err)
	}
	came, fault := s.authenticate(request, body)
	if fault != nil {
		s.register()
		answerWith(writer, http.StatusUnauthorized, fields{"errors": []string{fault.Error()}, "code": "unknown_key"})
		return
	}
	s.mutex.Lock()
	s.seen = append(s.seen, came)
	answers := s.answers
	s.mutex.Unlock()
	status, document := answers(came)
	answerWith(writer, status, document)
}

func answerWith(writer http.ResponseWriter, status int, document any) {
	writer.Header().Set("Content-Type", "application/json")
	writer.WriteHeader(status)
	if document != nil {
		_ = json.NewEncoder(writer).Encode(document)
	}
}

// authenticate checks the signature, and that it is for this very request.
func (s *sidecar) authenticate(request *http.Request, body []byte) (arrived, error) {
	s.mutex.Lock()
	key := s.key
	s.mutex.Unlock()
	token, _ := strings.CutPrefix(request.Header.Get("Authorization"), "Bearer ")
	parts := strings.Split(token, ".")
	if key == nil || len(parts) != 3 {
		return arrived{}, errors.New("this key is not known here")
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !ed25519.Verify(key, []byte(parts[0]+"."+parts[1]), signature) {
		return arrived{}, errors.New("the signature is not good")
	}
	header, claims := decoded(parts[0]), decoded(parts[1])
	digest := sha256.Sum256(body)
	now := float64(time.Now().Unix())
	issued, _ := claims["iat"].(float64)
	expires, _ := claims["exp"].(float64)
	for what, right := range map[string]bool{
		"algorithm": header["alg"] == "EdDSA",
		"issuer":    claims["iss"] == accessor,
		"audience":  claims["aud"] == instance,
		"time":      issued <= now+1 && now <= expires && expires-issued == 30,
		"path":      "/v1/"+fmt.Sprint(claims["path"]) == request.URL.Path,
		"digest":    claims["digest"] == hex.EncodeToString(digest[:]),
	} {
		if !right {
			s.mount.test.Errorf("the %s of a signed request: %v", what, claims)
		}
	}
	came := arrived{method: request.Method, path: request.URL.Path, claims: claims}
	if len(body) > 0 {
		err = json.Unmarshal(body, &came.body)
	}
	return came, err
}

func decoded(part string) fields {
	text, err := base64.RawURLEncoding.DecodeString(part)
	var object fields
	if err != nil || json.Unmarshal(text, &object) != nil {
		return nil
	}
	return object
}

func (s *sidecar) answer(status int, document any) {
	s.answerBy(func(arrived) (int, any) { return status, document })
}

func (s *sidecar) answerBy(answers func(arrived) (int, any)) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.answers = answers
}

func (s *sidecar) requests() []arrived {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return append([]arrived(nil), s.seen...)
}

func (s *sidecar) woken() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.wakes
}
