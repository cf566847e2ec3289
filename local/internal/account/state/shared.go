package state

import (
	"log/slog"
	"path/filepath"
	"sync"
)

// Shared is what all rooms of the account work with.
type Shared struct {
	Mu     sync.Mutex // guards the records and what RDS knows of its servers, never held while a server works
	Store  *store
	Sealer *sealer
	Log    *slog.Logger
}

// Open reads what lies in the account's folder.
func Open(dir string, log *slog.Logger) (*Shared, error) {
	sealer, err := OpenSealer(dir)
	if err != nil {
		return nil, err
	}
	store, err := OpenStore(filepath.Join(dir, "records"))
	return &Shared{Store: store, Sealer: sealer, Log: log}, err
}
