package account

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"threetier/local/internal/files"
)

// record is one thing that the account holds: a resource, or a snapshot.
type record struct {
	Kind    string         `json:"kind"`
	ID      string         `json:"id"`
	Region  string         `json:"region"`
	Owner   string         `json:"owner,omitempty"` // the URN that it was created for
	Known   bool           `json:"known,omitempty"` // the engine came back for it, so it holds its id
	Created time.Time      `json:"created"`
	Inputs  map[string]any `json:"inputs"`
	Outputs map[string]any `json:"outputs,omitempty"` // what was computed beside the inputs

	Sealed   []byte     `json:"sealed,omitempty"`  // a secret's value, encrypted
	Deleted  *time.Time `json:"deleted,omitempty"` // a secret's time of removal, while it can be restored
	Instance *instance  `json:"instance,omitempty"`
	Snapshot *snapshot  `json:"snapshot,omitempty"`
}

// instance is what a record of an RDS instance holds beside its inputs.
type instance struct {
	Identifier    string            `json:"identifier"`
	Version       string            `json:"version,omitempty"` // RDS's full one, such as 16.10
	Grown         int               `json:"grown,omitempty"`   // the storage in GiB where it has grown by itself
	Status        string            `json:"status"`
	IP            string            `json:"ip"`
	Zone          string            `json:"zone"`
	Port          int               `json:"port"`
	Applied       map[string]string `json:"applied"`           // the parameters in effect
	PendingReboot bool              `json:"pendingReboot"`     // the parameter group has changes that wait
	Pending       map[string]any    `json:"pending,omitempty"` // modifications that wait for the maintenance window
	Source        string            `json:"source,omitempty"`  // resource id of the instance that it replicates
	Untrusted     bool              `json:"untrusted,omitempty"`
	FinalSnapshot string            `json:"finalSnapshot,omitempty"` // while it is being deleted
}

// snapshot is what a record of a snapshot holds: the inputs of the record are those of the instance.
type snapshot struct {
	Identifier string `json:"identifier"`
	Status     string `json:"status"`
	Source     string `json:"source"` // the instance's identifier
	Type       string `json:"type"`   // manual or awsbackup
	Version    string `json:"version"`
}

// store keeps the records in memory and each as a file, so that a crash loses none that was put.
type store struct {
	dir     string
	records map[string]map[string]*record // by kind, then id
}

func openStore(dir string) (*store, error) {
	s := &store{dir: dir, records: map[string]map[string]*record{}}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*", "*.json"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		rec := &record{}
		if err := json.Unmarshal(data, rec); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		s.index(rec)
	}
	return s, nil
}

func (s *store) index(rec *record) {
	if s.records[rec.Kind] == nil {
		s.records[rec.Kind] = map[string]*record{}
	}
	s.records[rec.Kind][rec.ID] = rec
}

func (s *store) get(kind, id string) *record { return s.records[kind][id] }

// all is in the order of creation, so that whatever is made from it is stable.
func (s *store) all(kind string) []*record {
	return slices.SortedFunc(maps.Values(s.records[kind]), func(a, b *record) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
}

// find is the first record of a kind with an input of that value.
func (s *store) find(kind, input, value string) *record {
	for _, rec := range s.all(kind) {
		if text(rec.Inputs, input) == value {
			return rec
		}
	}
	return nil
}

func (s *store) put(rec *record) error {
	data, err := json.MarshalIndent(rec, "", "  ")
	if err != nil {
		return err
	}
	if err := files.Write(s.file(rec), data, 0o600); err != nil {
		return err
	}
	s.index(rec)
	return nil
}

func (s *store) remove(rec *record) error {
	if err := os.Remove(s.file(rec)); err != nil && !os.IsNotExist(err) {
		return err
	}
	delete(s.records[rec.Kind], rec.ID)
	return files.SyncDir(filepath.Dir(s.file(rec)))
}

var notFileName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// file is readable for people; the hash keeps ids apart that differ only in what a file name can't hold.
func (s *store) file(rec *record) string {
	sum := sha256.Sum256([]byte(rec.ID))
	name := notFileName.ReplaceAllString(rec.ID, "_")
	name = name[:min(len(name), 80)] + "-" + hex.EncodeToString(sum[:4]) + ".json"
	return filepath.Join(s.dir, filepath.FromSlash(rec.Kind), name)
}

// users are the instances with an input of that value.
func (s *store) users(input, value string) []string {
	var out []string
	for _, rec := range s.all(kindInstance) {
		if rec.Inputs[input] == value || slices.Contains(list(rec.Inputs, input), value) {
			out = append(out, rec.Instance.Identifier)
		}
	}
	return out
}
