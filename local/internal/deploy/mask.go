package deploy

import (
	"bytes"
	"io"
	"regexp"
)

// violation is what the engine says where an up would do something else than its plan: with both
// values, and secrets in plain text before Pulumi 3.262 (pulumi/pulumi#24567).
var violation = regexp.MustCompile(`(violates plan: properties changed:).*`)

func withoutValues(message []byte) []byte {
	return violation.ReplaceAll(message, []byte("$1 values aren't shown, they may be secrets"))
}

// masked writes whole lines on, without the values of violations.
type masked struct {
	out  io.Writer
	rest []byte
}

func (m *masked) Write(data []byte) (int, error) {
	m.rest = append(m.rest, data...)
	end := bytes.LastIndexByte(m.rest, '\n') + 1
	_, err := m.out.Write(withoutValues(m.rest[:end]))
	m.rest = m.rest[end:]
	return len(data), err
}

// Close writes what came after the last line's end.
func (m *masked) Close() error {
	_, err := m.out.Write(withoutValues(m.rest))
	return err
}
