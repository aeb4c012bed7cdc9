// Command securitykey is a security key made of software, for tests. It is a middleware of
// OpenSSH's (its PROTOCOL.u2f, "OpenSSH security key middleware"). Build it with
// -buildmode=c-shared, and name it as SecurityKeyProvider. It stores nothing: a key handle is the
// private key itself.
//
// Two variables of the environment make it behave like a real key. With HF_SK_TOUCH, it signs only
// once a file of that name exists. HF_SK_PIN is the PIN of keys that were made with
// verify-required.
package main

/*
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct sk_option { char *name; char *value; uint8_t required; };

struct sk_enroll_response {
	uint8_t flags;
	uint8_t *public_key; size_t public_key_len;
	uint8_t *key_handle; size_t key_handle_len;
	uint8_t *signature; size_t signature_len;
	uint8_t *attestation_cert; size_t attestation_cert_len;
	uint8_t *authdata; size_t authdata_len;
};

struct sk_sign_response {
	uint8_t flags;
	uint32_t counter;
	uint8_t *sig_r; size_t sig_r_len;
	uint8_t *sig_s; size_t sig_s_len;
};

struct sk_resident_key;
*/
import "C"

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"time"
	"unsafe"
)

// Numbers of the interface.
const (
	version = 0x000a0000

	algorithmECDSA   = 0
	algorithmEd25519 = 1

	userPresence     = 0x01
	userVerification = 0x04

	ok             = 0
	failed         = -1
	unsupported    = -2
	pinRequired    = -3
	touchPatience  = 30 * time.Second
	touchLookAgain = 10 * time.Millisecond
)

func main() {}

//export sk_api_version
func sk_api_version() C.uint32_t { return version }

// keep copies bytes to memory that the caller may free.
func keep(b []byte) (*C.uint8_t, C.size_t) { return (*C.uint8_t)(C.CBytes(b)), C.size_t(len(b)) }

//export sk_enroll
func sk_enroll(algorithm C.uint32_t, challenge *C.uint8_t, challengeLength C.size_t, application *C.char,
	flags C.uint8_t, pin *C.char, options **C.struct_sk_option, response **C.struct_sk_enroll_response) C.int {
	if status := verify(flags, pin); status != ok {
		return status
	}
	var public, handle []byte
	switch algorithm {
	case algorithmEd25519:
		p, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return failed
		}
		public, handle = p, private.Seed()
	case algorithmECDSA:
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return failed
		}
		if public, err = private.PublicKey.Bytes(); err != nil {
			return failed
		}
		if handle, err = private.Bytes(); err != nil {
			return failed
		}
	default:
		return unsupported
	}
	r := (*C.struct_sk_enroll_response)(C.calloc(1, C.sizeof_struct_sk_enroll_response))
	r.flags = flags
	r.public_key, r.public_key_len = keep(public)
	r.key_handle, r.key_handle_len = keep(handle)
	*response = r
	return ok
}

//export sk_sign
func sk_sign(algorithm C.uint32_t, data *C.uint8_t, length C.size_t, application *C.char, keyHandle *C.uint8_t, handleLength C.size_t,
	flags C.uint8_t, pin *C.char, options **C.struct_sk_option, response **C.struct_sk_sign_response) C.int {
	if status := verify(flags, pin); status != ok {
		return status
	}
	if flags&userPresence != 0 && !touched() {
		return failed
	}
	handle := C.GoBytes(unsafe.Pointer(keyHandle), C.int(handleLength))
	const counter = 1
	app := sha256.Sum256([]byte(C.GoString(application)))
	message := sha256.Sum256(C.GoBytes(unsafe.Pointer(data), C.int(length)))
	signed := append(app[:], byte(flags))
	signed = binary.BigEndian.AppendUint32(signed, counter)
	signed = append(signed, message[:]...)

	r := (*C.struct_sk_sign_response)(C.calloc(1, C.sizeof_struct_sk_sign_response))
	r.flags, r.counter = flags, counter
	switch {
	case algorithm == algorithmEd25519 && len(handle) == ed25519.SeedSize:
		r.sig_r, r.sig_r_len = keep(ed25519.Sign(ed25519.NewKeyFromSeed(handle), signed))
	case algorithm == algorithmECDSA:
		private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), handle)
		if err != nil {
			return failed
		}
		sum := sha256.Sum256(signed)
		x, y, err := ecdsa.Sign(rand.Reader, private, sum[:])
		if err != nil {
			return failed
		}
		r.sig_r, r.sig_r_len = keep(x.Bytes())
		r.sig_s, r.sig_s_len = keep(y.Bytes())
	default:
		return failed
	}
	*response = r
	return ok
}

//export sk_load_resident_keys
func sk_load_resident_keys(pin *C.char, options **C.struct_sk_option, keys ***C.struct_sk_resident_key, number *C.size_t) C.int {
	return unsupported
}

// verify checks the PIN if the key needs one. A wrong PIN gives the same status as none, as with
// libfido2.
func verify(flags C.uint8_t, pin *C.char) C.int {
	if flags&userVerification != 0 && (pin == nil || C.GoString(pin) != os.Getenv("HF_SK_PIN")) {
		return pinRequired
	}
	return ok
}

// touched waits for somebody to touch the key.
func touched() bool {
	path := os.Getenv("HF_SK_TOUCH")
	if path == "" {
		return true
	}
	for end := time.Now().Add(touchPatience); time.Now().Before(end); time.Sleep(touchLookAgain) {
		if _, err := os.Stat(path); err == nil {
			return true
		}
	}
	return false
}
