package state

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

// Record is one thing that the account holds: a resource, or a snapshot.
type Record struct {
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
	Instance *Instance  `json:"instance,omitempty"`
	Snapshot *Snapshot  `json:"snapshot,omitempty"`
}

// KindInstance is the kind of the records that have one.
const KindInstance = "rds/instance"

// Instance is what a record of an RDS instance holds beside its inputs.
type Instance struct {
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

// Snapshot is what a record of a snapshot holds: the inputs of the record are those of the instance.
type Snapshot struct {
	Identifier string `json:"identifier"`
	Status     string `json:"status"`
	Source     string `json:"source"` // the instance's identifier
	Type       string `json:"type"`   // manual or awsbackup
	Version    string `json:"version"`
}

// Store keeps the records in memory and each as a file, so that a crash loses none that was put.
type store struct {
	dir     string
	records map[string]map[string]*Record // by kind, then id
}

func OpenStore(dir string) (*store, error) {
	s := &store{dir: dir, records: map[string]map[string]*Record{}}
	files, err := filepath.Glob(filepath.Join(dir, "*", "*", "*.json"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		rec := &Record{}
		if err := json.Unmarshal(data, rec); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		s.index(rec)
	}
	return s, nil
}

func (s *store) index(rec *Record) {
	if s.records[rec.Kind] == nil {
		s.records[rec.Kind] = map[string]*Record{}
	}
	s.records[rec.Kind][rec.ID] = rec
}

func (s *store) Get(kind, id string) *Record { return s.records[kind][id] }

// All is in the order of creation, so that whatever is made from it is stable.
func (s *store) All(kind string) []*Record {
	return slices.SortedFunc(maps.Values(s.records[kind]), func(a, b *Record) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
}

// Find is the first record of a kind with an input of that value.
func (s *store) Find(kind, input, value string) *Record {
	for _, rec := range s.All(kind) {
		if Text(rec.Inputs, input) == value {
			return rec
		}
	}
	return nil
}

func (s *store) Put(rec *Record) error {
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

func (s *store) Remove(rec *Record) error {
	if err := os.Remove(s.file(rec)); err != nil && !os.IsNotExist(err) {
		return err
	}
	delete(s.records[rec.Kind], rec.ID)
	return files.SyncDir(filepath.Dir(s.file(rec)))
}

var notFileName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// file is readable for people; the hash keeps ids apart that differ only in what a file name can't hold.
func (s *store) file(rec *Record) string {
	sum := sha256.Sum256([]byte(rec.ID))
	name := notFileName.ReplaceAllString(rec.ID, "_")
	name = name[:min(len(name), 80)] + "-" + hex.EncodeToString(sum[:4]) + ".json"
	return filepath.Join(s.dir, filepath.FromSlash(rec.Kind), name)
}

// Users are the instances with an input of that value.
func (s *store) Users(input, value string) []string {
	var out []string
	for _, rec := range s.All(KindInstance) {
		if rec.Inputs[input] == value || slices.Contains(List(rec.Inputs, input), value) {
			out = append(out, rec.Instance.Identifier)
		}
	}
	return out
}
