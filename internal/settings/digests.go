package settings

import (
	"strconv"
	"strings"

	"threetier/components/database"
	"threetier/internal/problems"
)

// digestProblems want images by digest beside data that lasts: a tag can name another image tomorrow, and then a pod
// that is only replaced runs what nobody reviewed.
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
				Want: "a digest (…@sha256:…) since the database isn't disposable, or the reason why not as " + Namespace + ":allowTags",
			})
		}
	}
	reason := strings.TrimSpace(s.AllowTags)
	lasting := s.Database.Lifecycle == database.Durable || s.Database.Lifecycle == database.Retiring
	switch {
	case reason == "" && lasting:
		return ps
	case reason == "":
		return nil
	case !lasting:
		return problems.List{{Path: "allowTags", Value: strconv.Quote(reason), Want: "no reason: beside a disposable database tags are accepted"}}
	case len(ps) == 0:
		return problems.List{{Path: "allowTags", Value: strconv.Quote(reason), Want: "no reason: every image has a digest"}}
	}
	return nil
}
