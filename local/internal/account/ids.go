package account

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
)

// ID is the number of the account.
const ID = "123456789012"

// hexID is an id of the EC2 kind: "sg-0" and 16 hexadecimal digits.
func hexID(prefix string) string {
	return prefix + "-0" + randomHex(8)
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// randomUUID has the form of the ids that ACM gives.
func randomUUID() string {
	digits := randomHex(16)
	return fmt.Sprintf("%s-%s-%s-%s-%s", digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
}

const upperAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

// randomUpper has no modulo bias: the alphabet has 32 letters.
func randomUpper(length int) string {
	b := make([]byte, length)
	rand.Read(b)
	for i := range b {
		b[i] = upperAlphabet[b[i]%32]
	}
	return string(b)
}

func arn(service, region, resource string) string {
	return fmt.Sprintf("arn:aws:%s:%s:%s:%s", service, region, ID, resource)
}
