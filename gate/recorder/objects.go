package recorder

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
)

// RoundTrip answers in the cluster's place what is in it before the run.
func (r *Recording) RoundTrip(request *http.Request) (*http.Response, error) {
	r.mutex.Lock()
	r.Reads = append(r.Reads, request.URL.Path)
	// What is looked for comes before what is registered: resources register while the program goes on.
	if slices.ContainsFunc(r.Resources, func(res Resource) bool {
		return !strings.Contains(res.URN, "threetier:index:Cluster") && res.Type != "threetier:index:Stack" // which is only their parent
	}) {
		r.mutex.Unlock()
		return nil, fmt.Errorf("%s is read after %s", request.URL.Path, strings.Join(r.Names(), ", "))
	}
	r.mutex.Unlock()
	object := func(at string, of map[string]string) fields {
		return fields{"metadata": fields{"name": path.Base(at), "labels": of}, "spec": r.options.Specs[at]}
	}
	present := r.options.objects()
	status, body := http.StatusNotFound, any(fields{"message": "not found"})
	if of, found := present[request.URL.Path]; found {
		status, body = http.StatusOK, object(request.URL.Path, of)
	}
	if query := request.URL.Query().Get("labelSelector"); query != "" {
		selector, err := labels.Parse(query)
		if err != nil {
			return nil, err
		}
		items := []fields{}
		for at, of := range present {
			if path.Dir(at) == request.URL.Path && selector.Matches(labels.Set(of)) {
				items = append(items, object(at, of))
			}
		}
		status, body = http.StatusOK, fields{"items": items}
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status, Body: io.NopCloser(bytes.NewReader(text)), Request: request,
	}, nil
}

// objects are Objects, and the namespace that the config adopts, as a plan has no cluster to ask.
func (o Options) objects() map[string]map[string]string {
	if o.Objects != nil || o.Config == nil {
		return o.Objects
	}
	adopted, err := o.Config.Text("threetier:adopt")
	if err != nil || adopted == "" {
		return nil
	}
	return map[string]map[string]string{"/api/v1/namespaces/" + adopted: {}}
}
