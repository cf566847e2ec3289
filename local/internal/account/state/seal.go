package state

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"threetier/local/internal/files"
)

// Sealer stands in for KMS: no secret lies in plain text in the account's files.
type sealer struct{ aead cipher.AEAD }

func OpenSealer(dir string) (*sealer, error) {
	file := filepath.Join(dir, "kms.key")
	key, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		key = make([]byte, 32)
		rand.Read(key)
		err = files.Write(file, key, 0o600)
	}
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return &sealer{aead}, err
}

func (s *sealer) Seal(plain string) []byte { return s.aead.Seal(nil, nil, []byte(plain), nil) }

func (s *sealer) Open(sealed []byte) (string, error) {
	plain, err := s.aead.Open(nil, nil, sealed, nil)
	return string(plain), err
}
