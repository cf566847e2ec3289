package settings

import (
	"fmt"
	"strconv"

	"threetier/internal/problems"
)

// Connections is the sum of the database connections that the pods may open, beside the database's own number.
func (s *Settings) Connections() string {
	pods, sum := s.App.Connections()
	if s.PreviewOf != "" {
		return fmt.Sprintf("%s = %d, as far as %s has them", sum, pods, s.PreviewOf)
	}
	return fmt.Sprintf("%s = %d of %d", sum, pods, s.Database.Connections())
}

// fitBackend lowers the default of the backend's pods to those that the instance has connections for.
func (s *Settings) fitBackend() {
	replicas := &s.App.Backend.Replicas
	for pods, _ := s.App.Connections(); pods > s.Database.Connections() && replicas.Max > replicas.Min; pods, _ = s.App.Connections() {
		replicas.Max--
	}
}

// connectionProblems refuse pods whose pools the instance has no room for: who comes last gets no connection.
func (s *Settings) connectionProblems() problems.List {
	pods, sum := s.App.Connections()
	if pods <= s.Database.Connections() {
		return nil
	}
	return problems.List{{
		Path: "backend.connectionsPerPod", Value: strconv.Itoa(s.App.Backend.ConnectionsPerPod),
		Want: fmt.Sprintf("less, a lower replicas.max or a larger instanceClass: in a rollout the pods open %s = %d connections, and %s has %d for them",
			sum, pods, s.Database.InstanceClass, s.Database.Connections()),
	}}
}
