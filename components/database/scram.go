package database

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
)

const (
	scramIterations = 4096 // PostgreSQL's own number
	scramSaltBytes  = 16
)

// Verifier is what PostgreSQL stores for a generated password (RFC 5803). A statement with it may be logged: nobody logs
// in with a verifier. The salt follows from login and password, so that every run makes the same one; the password is
// random enough to need no other.
func Verifier(login, password string) (string, error) {
	salt := keyed([]byte(password), "salt of "+login)[:scramSaltBytes]
	salted, err := pbkdf2.Key(sha256.New, password, salt, scramIterations, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("make the verifier of %s: %w", login, err)
	}
	stored := sha256.Sum256(keyed(salted, "Client Key"))
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s",
		scramIterations, encode(salt), encode(stored[:]), encode(keyed(salted, "Server Key"))), nil
}

func keyed(key []byte, message string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(message))
	return mac.Sum(nil)
}
