package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"threetier/local/internal/account/rds"
	"threetier/local/internal/account/recorded"
	"threetier/local/internal/account/state"
)

// Request is the body of the API's calls.
type Request struct {
	// Region is where the resource is or the lookup looks, such as eu-west-1. Required for creation and lookups.
	Region string `json:"region,omitempty"`
	// Owner is the URN of the resource that asks.
	Owner string `json:"owner,omitempty"`
	// Inputs are the resource's properties, or the lookup's arguments, by their Pulumi names.
	Inputs map[string]any `json:"inputs,omitempty"`
}

// Error is a refusal with the code and the words that AWS would use.
type Error = state.Error

// Response is the body of the API's answers.
type Response struct {
	// ID is the resource's id.
	ID string `json:"id,omitempty"`
	// Outputs are all properties of the resource but the secret ones, or the lookup's result.
	Outputs map[string]any `json:"outputs,omitempty"`
	// Warnings are for the user to read: what was accepted and yet isn't as asked.
	Warnings []string `json:"warnings,omitempty"`
	// Error is set when the call was refused. An ID beside it is of a resource that was left half-made.
	Error *Error `json:"error,omitempty"`
}

// serve answers on the socket until ctx ends.
func (a *Account) serve(ctx context.Context) error {
	if err := os.Remove(a.cfg.Socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	listener, err := net.Listen("unix", a.cfg.Socket)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if err := os.Chmod(a.cfg.Socket, 0o600); err != nil {
		return err
	}
	srv := &http.Server{
		Handler:     a.routes(),
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(listener) }()
	a.Log.Info("account is open", "socket", a.cfg.Socket)
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		err = srv.Close()
		a.Log.Warn("calls were cut off", "error", err)
	}
	return nil
}

func (a *Account) routes() http.Handler {
	mux := http.NewServeMux()
	const resource = "/resources/{service}/{type}"
	mux.HandleFunc("POST "+resource, a.handle(a.create))
	mux.HandleFunc("GET "+resource, a.handle(a.read))
	mux.HandleFunc("PATCH "+resource, a.handle(a.update))
	mux.HandleFunc("DELETE "+resource, a.handle(a.remove))
	mux.HandleFunc("POST /orphans/{service}/{type}", a.handle(a.nameOrphan))
	mux.HandleFunc("POST /known/{service}/{type}", a.handle(a.know))
	mux.HandleFunc("POST /lookups/{name}", a.handle(a.lookup))
	mux.HandleFunc("POST /pod-identity", a.handle(a.assumeForPod))
	mux.HandleFunc("GET /instances", a.listInstances)
	mux.HandleFunc("GET /snapshots", a.listSnapshots)
	for name, action := range a.rds.Actions() {
		mux.HandleFunc("POST /instances/{id}/"+name, a.handle(a.onInstance(action)))
	}
	mux.HandleFunc("POST /certificates/{name}/renew", a.handle(a.renew))
	mux.HandleFunc("POST /dns", a.handle(a.putElsewhere))
	mux.HandleFunc("DELETE /snapshots/{id}", a.handle(a.removeSnapshot))
	return mux
}

// handle decodes the request and encodes what came of it; a refusal is status 400.
func (a *Account) handle(do func(*http.Request, *state.Call) (*Response, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body Request
		err := json.NewDecoder(r.Body).Decode(&body)
		if r.ContentLength == 0 {
			err = nil
		}
		if body.Inputs == nil {
			body.Inputs = map[string]any{}
		}
		c := &state.Call{Ctx: r.Context(), Region: body.Region, Owner: body.Owner, Inputs: body.Inputs}
		var answer *Response
		if err == nil {
			answer, err = do(r, c)
		}
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
		if answer == nil {
			answer = &Response{}
		}
		if err != nil {
			answer.Error = state.AsError(err)
		}
		answer.Warnings = c.Warnings
		writeJSON(w, answer)
	}
}

func writeJSON(w http.ResponseWriter, value any) {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(value) // a caller who is gone can't be told
}

func (a *Account) onInstance(action func(*state.Call, *state.Record) error) func(*http.Request, *state.Call) (*Response, error) {
	return func(r *http.Request, c *state.Call) (*Response, error) {
		a.Mu.Lock()
		rec := a.rds.InstanceByName(r.PathValue("id"))
		a.Mu.Unlock()
		if rec == nil {
			return nil, state.Refuse("DBInstanceNotFound", "DBInstance %s not found.", r.PathValue("id"))
		}
		return nil, action(c, rec)
	}
}

func (a *Account) removeSnapshot(r *http.Request, c *state.Call) (*Response, error) {
	a.Mu.Lock()
	snap := a.Store.Get(rds.KindSnapshot, r.PathValue("id"))
	a.Mu.Unlock()
	if snap == nil {
		return nil, state.Refuse("DBSnapshotNotFound", "DBSnapshot %s not found.", r.PathValue("id"))
	}
	return nil, a.rds.DeleteSnapshot(c, snap)
}

func (a *Account) listInstances(w http.ResponseWriter, _ *http.Request) {
	a.Mu.Lock()
	out := []rds.Description{}
	for _, rec := range a.Store.All(state.KindInstance) {
		out = append(out, a.rds.Describe(rec))
	}
	a.Mu.Unlock()
	writeJSON(w, out)
}

func (a *Account) listSnapshots(w http.ResponseWriter, _ *http.Request) {
	a.Mu.Lock()
	out := []rds.DescribedSnapshot{}
	for _, rec := range a.Store.All(rds.KindSnapshot) {
		out = append(out, rds.DescribedSnapshot{Snapshot: *rec.Snapshot, Created: rec.Created})
	}
	a.Mu.Unlock()
	writeJSON(w, out)
}

func (a *Account) assumeForPod(_ *http.Request, c *state.Call) (*Response, error) {
	a.Mu.Lock()
	defer a.Mu.Unlock()
	outputs, err := recorded.AssumeForPod(a.Shared, c)
	return &Response{Outputs: outputs}, err
}
