package account

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

const scramIterations = 4096

// scramVerifier is what PostgreSQL stores for a password. Made here, the password itself never reaches the server's
// statement log. Passwords are printable ASCII (checkPassword), so SASLprep would change nothing.
func scramVerifier(password string) (string, error) {
	salt := make([]byte, 16)
	rand.Read(salt)
	salted, err := pbkdf2.Key(sha256.New, password, salt, scramIterations, sha256.Size)
	if err != nil {
		return "", err
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

// checkPassword is RDS's rule for PostgreSQL.
func checkPassword(password string) error {
	if len(password) < 8 || len(password) > 128 {
		return refuse("InvalidParameterValue",
			"The parameter MasterUserPassword is not a valid password because it is shorter than 8 or longer than 128 characters.")
	}
	for _, r := range password {
		if r <= ' ' || r > '~' || strings.ContainsRune(`/@"`, r) {
			return refuse("InvalidParameterValue", "The parameter MasterUserPassword is not a valid password. "+
				"Only printable ASCII characters besides '/', '@', '\"', ' ' may be used.")
		}
	}
	return nil
}
