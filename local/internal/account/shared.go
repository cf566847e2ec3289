package account

import (
	"log/slog"
	"path/filepath"
	"sync"
)

// shared is what all rooms of the account work with.
type shared struct {
	mu     sync.Mutex // guards the records and what RDS knows of its servers, never held while a server works
	store  *store
	sealer *sealer
	log    *slog.Logger
}

// openShared reads what lies in the account's folder.
func openShared(dir string, log *slog.Logger) (*shared, error) {
	sealer, err := openSealer(dir)
	if err != nil {
		return nil, err
	}
	store, err := openStore(filepath.Join(dir, "records"))
	return &shared{store: store, sealer: sealer, log: log}, err
}
