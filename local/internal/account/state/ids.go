package state

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
)

// ID is the number of the account.
const ID = "123456789012"

// HexID is an id of the EC2 kind: "sg-0" and 16 hexadecimal digits.
func HexID(prefix string) string {
	return prefix + "-0" + RandomHex(8)
}

func RandomHex(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// RandomUUID has the form of the ids that ACM gives.
func RandomUUID() string {
	digits := RandomHex(16)
	return fmt.Sprintf("%s-%s-%s-%s-%s", digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
}

const upperAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

// RandomUpper has no modulo bias: the alphabet has 32 letters.
func RandomUpper(length int) string {
	b := make([]byte, length)
	rand.Read(b)
	for i := range b {
		b[i] = upperAlphabet[b[i]%32]
	}
	return string(b)
}

func ARN(service, region, resource string) string {
	return fmt.Sprintf("arn:aws:%s:%s:%s:%s", service, region, ID, resource)
}
