// Package costs is what the change of one key of a stack config costs, as it was measured.
package costs

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// The measured figures and the page that shows them, from the project's folder.
const (
	File = "cmd/rehearse/costs.json"
	Page = "docs/cost-of-changes.md"
)

// Measured is what the changes have cost, and of what load.
type Measured struct {
	// Date is the day, Stack the one whose config was changed.
	Date  string `json:"date"`
	Stack string `json:"stack"`
	// Rate is the number of requests per second, Load their kinds.
	Rate int    `json:"rate"`
	Load string `json:"load"`
	Rows []Row  `json:"rows"`
	// Sum is of all else, as it was measured: nobody corrects a figure by hand.
	Sum string `json:"sum"`
}

// sum is of every measured value.
func (m Measured) sum() (string, error) {
	m.Sum = ""
	text, err := json.Marshal(m)
	return fmt.Sprintf("%x", sha256.Sum256(text)), err
}

// Row is what one change has cost.
type Row struct {
	// Key is the key, Change what became of it.
	Key    string `json:"key"`
	Change string `json:"change"`
	// Sent and Lost are requests; Seconds are those in which some were lost.
	Sent    int `json:"sent"`
	Lost    int `json:"lost"`
	Seconds int `json:"seconds"`
	// Pods are the tiers that got new pods, Replaced the AWS resources that were replaced, by their logical names.
	Pods     []string `json:"pods"`
	Replaced []string `json:"replaced"`
	// Restarted tells that the database's server was started again.
	Restarted bool `json:"restarted"`
	// AWS is what only an account shows.
	AWS string `json:"aws"`
}

// Read reads the figures; nothing is known where the file is missing.
func Read(file string) (m Measured, err error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if sum, sumErr := m.sum(); err == nil && (sumErr != nil || sum != m.Sum) {
		err = fmt.Errorf("the sum of %s is %q, want the figures as make costs wrote them", file, m.Sum)
	}
	if err != nil {
		return m, fmt.Errorf("read what changes cost: %w", err)
	}
	return m, nil
}

// Write writes the figures.
func (m Measured) Write(file string) error {
	var text []byte
	sum, err := m.sum()
	if m.Sum = sum; err == nil {
		text, err = json.MarshalIndent(m, "", "  ")
	}
	if err == nil {
		err = os.WriteFile(file, append(text, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("write what changes cost: %w", err)
	}
	return nil
}

// Table has a line for each row.
func Table(rows []Row) string {
	b := &strings.Builder{}
	b.WriteString("| key | change | lost requests | seconds with losses | new pods | replaced in AWS | database restart | not measured: on AWS |\n" +
		"| --- | --- | ---: | ---: | --- | --- | --- | --- |\n")
	for _, r := range rows {
		restarted := "no"
		if r.Restarted {
			restarted = "yes"
		}
		fmt.Fprintf(b, "| `%s` | %s | %d of %d | %d | %s | %s | %s | %s |\n",
			r.Key, r.Change, r.Lost, r.Sent, r.Seconds, list(r.Pods), list(r.Replaced), restarted, r.AWS)
	}
	return b.String()
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
