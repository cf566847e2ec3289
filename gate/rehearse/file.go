package rehearse

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"threetier/gate/seed"
	"threetier/internal/allow"
	"threetier/internal/constraint"
	"threetier/internal/keys"
	"threetier/internal/problems"
)

// FileName is where a project says how it is rehearsed.
const FileName = seed.FileName

// File is the content of a rehearsal.yaml. All of it is optional.
type File struct {
	// Seed are the rows that are there before the load begins.
	Seed seed.Seed `yaml:"seed"`
	// Load is what the clients send.
	Load Load `yaml:"load"`
	// Limits are what the gate accepts.
	Limits Limits `yaml:"limits"`
	// Allow has findings that are intended, with the reason.
	Allow allow.List `yaml:"allow"`
	// Secrets are stand-ins for secret values of the stack config, by path: threetier:backend.secretEnv.KEY.
	Secrets map[string]string `yaml:"secrets"`
}

// Load is what the clients send, and for how long.
type Load struct {
	// Rate is the number of requests per second. Default: 20.
	Rate *int `yaml:"rate"`
	// SteadySeconds is how long the load lasts before the first step and after each. Default: 10.
	SteadySeconds *int `yaml:"steadySeconds"`
	// OpenAPI is the path of the backend's own description. Default: the first of openAPIPaths that answers.
	OpenAPI string `yaml:"openapi"`
	// Requests are the kinds of requests. Default: the page, and each path of the description that can be read as it is.
	Requests []Request `yaml:"requests"`
}

// Request is a kind of request.
type Request struct {
	// Method is the HTTP method. Default: GET.
	Method string `yaml:"method" json:"method"`
	// Path begins with /. {n} in it, and in the body, is the number of the request.
	Path string `yaml:"path" json:"path"`
	// Body is a text, or what is sent as JSON. Default: none.
	Body any `yaml:"body" json:"body,omitempty"`
	// Status is the expected one. Default: 200.
	Status int `yaml:"status" json:"status"`
	// Page tells that the answer is a page, whose script is loaded as well. Default: false; of the default load, if / names one.
	Page bool `yaml:"page" json:"page,omitempty"`
	// Share is how many of the requests are of this kind, beside the others' shares. Default: 1.
	Share *int `yaml:"share" json:"share"`
}

// Limits are what the gate accepts.
type Limits struct {
	// LockSeconds is how long a lock may be held that keeps others from a table. Default: 2.
	LockSeconds *int `yaml:"lockSeconds"`
	// P99Times and P99Milliseconds are how slow the slowest hundredth of the good answers may be during a change: the first
	// times what it was before, or the second if that is more. Default: 5 and 500.
	P99Times        *int `yaml:"p99Times"`
	P99Milliseconds *int `yaml:"p99Milliseconds"`
}

// Constraints of the numbers.
var (
	rateConstraint   = constraint.Number{Default: 20, Min: 1, Max: 500}
	steadyConstraint = constraint.Number{Default: 10, Min: 2, Max: 600}
	shareConstraint  = constraint.Number{Default: 1, Min: 1, Max: 1000}
	lockConstraint   = constraint.Number{Default: 2, Min: 1, Max: 600}
	timesConstraint  = constraint.Number{Default: 5, Min: 1, Max: 1000}
	p99Constraint    = constraint.Number{Default: 500, Min: 1, Max: 30_000}
	methodConstraint = constraint.Text{OneOf: []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}}
	pathConstraint   = constraint.Text{Pattern: `^/\S*$`, Want: "a path that starts with /"}
)

// ReadFile is the rehearsal.yaml of a folder, with its defaults; where there is none, all is default.
func ReadFile(folder string) (File, error) {
	text, err := os.ReadFile(filepath.Join(folder, FileName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return File{}, fmt.Errorf("read %s: %w", FileName, err)
	}
	return ParseFile(text)
}

// ParseFile reads the text of a rehearsal.yaml.
func ParseFile(text []byte) (File, error) {
	var file File
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		// The decoder names the line, and then a type of this package.
		return File{}, fmt.Errorf("read %s: %s", FileName, strings.NewReplacer(" not found in type rehearse.", " is not a key of ", " not found in type seed.", " is not a key of ").Replace(err.Error()))
	}
	file = file.withDefaults()
	if err := file.problems().Err(); err != nil {
		return File{}, fmt.Errorf("%s: %w", FileName, err)
	}
	return file, nil
}

func (f File) withDefaults() File {
	orDefault := func(value **int, of constraint.Number) {
		if *value == nil {
			*value = &of.Default
		}
	}
	orDefault(&f.Load.Rate, rateConstraint)
	orDefault(&f.Load.SteadySeconds, steadyConstraint)
	orDefault(&f.Limits.LockSeconds, lockConstraint)
	orDefault(&f.Limits.P99Times, timesConstraint)
	orDefault(&f.Limits.P99Milliseconds, p99Constraint)
	f.Load.Requests = slices.Clone(f.Load.Requests)
	for i := range f.Load.Requests {
		request := &f.Load.Requests[i]
		orDefault(&request.Share, shareConstraint)
		if request.Method == "" {
			request.Method = "GET"
		}
		if request.Status == 0 {
			request.Status = 200
		}
	}
	return f
}

func (f File) problems() problems.List {
	ps := slices.Concat(
		rateConstraint.Problems("load.rate", f.Load.Rate),
		steadyConstraint.Problems("load.steadySeconds", f.Load.SteadySeconds),
		pathConstraint.Problems("load.openapi", f.Load.OpenAPI),
		lockConstraint.Problems("limits.lockSeconds", f.Limits.LockSeconds),
		timesConstraint.Problems("limits.p99Times", f.Limits.P99Times),
		p99Constraint.Problems("limits.p99Milliseconds", f.Limits.P99Milliseconds),
	)
	for i, request := range f.Load.Requests {
		ps = append(ps, slices.Concat(
			methodConstraint.Problems("method", request.Method),
			pathConstraint.Required("path", request.Path),
			constraint.Number{Min: 100, Max: 599}.Problems("status", &request.Status),
			shareConstraint.Problems("share", request.Share),
		).Under(fmt.Sprintf("load.requests[%d]", i))...)
		if request.Page && (request.Method != "GET" || request.Status != 200) {
			ps = append(ps, problems.Problem{Path: fmt.Sprintf("load.requests[%d].page", i), Value: "true", Want: "GET and status 200 with it"})
		}
	}
	return append(ps, keys.Table{f.Allow.Key(findingConstraint).Doc("")}.Problems()...)
}

// content is the body as it is sent.
func (r Request) content() (string, error) {
	switch body := r.Body.(type) {
	case nil:
		return "", nil
	case string:
		return body, nil
	default:
		text, err := json.Marshal(body)
		if err != nil {
			return "", fmt.Errorf("write the body of %s %s: %w", r.Method, r.Path, err)
		}
		return string(text), nil
	}
}

// String is the request as in a log.
func (r Request) String() string {
	if r.Page {
		return r.Method + " " + r.Path + " and its script"
	}
	return r.Method + " " + r.Path
}
