package settings

import (
	"strconv"
	"strings"

	"threetier/components/database"
	"threetier/internal/allow"
	"threetier/internal/problems"
)

// digestProblems want images by digest beside data that lasts: a tag can name another image tomorrow, and then a pod that is only
// replaced runs what nobody reviewed.
func (s *Settings) digestProblems() problems.List {
	var ps problems.List
	frontend := ""
	if s.App.Frontend != nil {
		frontend = s.App.Frontend.Image
	}
	for _, image := range []struct{ path, name string }{
		{"backend.image", s.App.Backend.Image},
		{"frontend.image", frontend},
		{"nginx.image", s.App.Nginx.Image},
		{"database.clientImage", s.App.ClientImage},
	} {
		if image.name != "" && !strings.Contains(image.name, "@sha256:") {
			ps = append(ps, problems.Problem{
				Path: image.path, Value: strconv.Quote(image.name),
				Want: allow.Or("a digest (…@sha256:…) since the database isn't disposable", Namespace+":allow", AllowTags),
			})
		}
	}
	switch lifecycle := s.Database.Lifecycle; {
	case lifecycle == database.Disposable:
		return s.Allow.Unneeded("beside a disposable database tags are accepted", AllowTags)
	case len(ps) == 0:
		return s.Allow.Unneeded("every image has a digest", AllowTags)
	case s.Allow.Has(AllowTags), lifecycle != database.Durable && lifecycle != database.Retiring:
		return nil
	}
	return ps
}
