package rehearse

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"threetier/gate/seed"
	"threetier/internal/allow"
	"threetier/internal/constraint"
	"threetier/internal/keys"
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

// Load is what the clients send, and for how long. Its keys, like those of Request and Limits, say what the fields mean.
type Load struct {
	Rate          *int      `yaml:"rate"`
	SteadySeconds *int      `yaml:"steadySeconds"`
	OpenAPI       string    `yaml:"openapi"`
	Requests      []Request `yaml:"requests"`
}

// Request is a kind of request.
type Request struct {
	Method string `yaml:"method" json:"method"`
	Path   string `yaml:"path" json:"path"`
	// Body is a text, or what is sent as JSON. Default: none.
	Body   any  `yaml:"body" json:"body,omitempty"`
	Status int  `yaml:"status" json:"status"`
	Page   bool `yaml:"page" json:"page,omitempty"`
	Share  *int `yaml:"share" json:"share"`
}

// Limits are what the gate accepts.
type Limits struct {
	LockSeconds     *int `yaml:"lockSeconds"`
	P99Times        *int `yaml:"p99Times"`
	P99Milliseconds *int `yaml:"p99Milliseconds"`
}

// keys are those with a rule or a default: the decoder knows all of them by their fields.
func (f *File) keys() keys.Table {
	return keys.Table{
		keys.Number("load.rate", &f.Load.Rate).Between(1, 500).Default(20).Doc("The number of requests per second."),
		keys.Number("load.steadySeconds", &f.Load.SteadySeconds).Between(2, 600).Default(10).
			Doc("How long the load lasts before the first step and after each."),
		keys.Text("load.openapi", &f.Load.OpenAPI).Is(urlPath).Doc("The path of the backend's own description, else the first of openAPIPaths that answers."),
		keys.Number("limits.lockSeconds", &f.Limits.LockSeconds).Between(1, 600).Default(2).
			Doc("How long a lock may be held that keeps others from a table."),
		keys.Number("limits.p99Times", &f.Limits.P99Times).Between(1, 1000).Default(5).
			Doc("How slow the slowest hundredth of the good answers may be during a change: so many times what it was before,"),
		keys.Number("limits.p99Milliseconds", &f.Limits.P99Milliseconds).Between(1, 30_000).Default(500).Doc("or this, if it is more."),
		keys.Objects("load.requests", &f.Load.Requests, (*Request).keys).
			Doc("The kinds of requests, else the page, and each path of the description that can be read as it is."),
		f.Allow.Key(findingConstraint).Doc("Findings that are intended."),
	}
}

func (r *Request) keys() keys.Table {
	read := cmp.Or(r.Method, http.MethodGet) == http.MethodGet && cmp.Or(r.Status, http.StatusOK) == http.StatusOK
	return keys.Table{
		keys.Text("method", &r.Method).OneOf("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE").Default(http.MethodGet).Doc("The HTTP method."),
		keys.Text("path", &r.Path).Is(urlPath).Required().Doc("The request path. {n} in it, and in the body, is the number of the request."),
		keys.Number("status", &r.Status).Between(100, 599).Default(http.StatusOK).Doc("The expected status."),
		keys.Number("share", &r.Share).Between(1, 1000).Default(1).Doc("How many of the requests are of this kind, beside the others' shares."),
		keys.Flag("page", &r.Page).Refuse(r.Page && !read, "true", "GET and status 200 with it").
			Doc("Whether the answer is a page, whose script is loaded as well. Of the default load, / is one if it names a script."),
	}
}

var urlPath = constraint.Text{Pattern: `^/\S*$`, Want: "a path that starts with /"}

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
	if err := file.keys().Complete().Err(); err != nil {
		return File{}, fmt.Errorf("%s: %w", FileName, err)
	}
	return file, nil
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
