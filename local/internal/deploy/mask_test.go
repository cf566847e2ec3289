package deploy

import (
	"bytes"
	"strings"
	"testing"
)

func TestMaskedHidesTheValuesOfAViolationWhereverItIsCut(t *testing.T) {
	const said = "before\n  error: resource urn:x violates plan: properties changed: ~~password[{&{{hunter2}}}!={&{{hunter3}}}]\nafter"
	for cut := range len(said) {
		var out bytes.Buffer
		m := &masked{out: &out}
		for _, part := range []string{said[:cut], said[cut:]} {
			if n, err := m.Write([]byte(part)); n != len(part) || err != nil {
				t.Fatalf("wrote %d of %d: %v", n, len(part), err)
			}
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); strings.Contains(got, "hunter") || !strings.HasPrefix(got, "before\n") ||
			!strings.HasSuffix(got, "\nafter") || !strings.Contains(got, "urn:x violates plan") {
			t.Fatalf("cut at %d: %q", cut, got)
		}
	}
}
