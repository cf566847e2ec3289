package rehearse

import "time"

// object is what the rehearsal reads of a Kubernetes object, whatever its kind.
type object struct {
	Kind     string
	Metadata struct {
		Name, Namespace   string
		Labels            map[string]string
		CreationTimestamp time.Time
		DeletionTimestamp *time.Time
	}
	Spec struct {
		Containers []container
		// Template is a Job's.
		Template struct {
			Spec struct{ Containers []container }
		}
	}
	Status struct {
		Phase             string
		Allocatable       map[string]string
		ContainerStatuses []containerStatus
		// StartTime and CompletionTime are a Job's.
		StartTime, CompletionTime *time.Time
	}
}

type container struct {
	Name, Image string
	Resources   struct{ Requests map[string]string }
	Env         []struct {
		Name, Value string
		ValueFrom   struct{ SecretKeyRef struct{ Name, Key string } }
	}
}

type containerStatus struct {
	Name         string
	RestartCount int
	LastState    struct {
		Terminated *struct {
			Reason   string
			ExitCode int
		}
	}
}

type objects struct{ Items []object }

// tierLabel tells which tier a pod or Job belongs to.
const tierLabel = "app.kubernetes.io/name"

func (o object) tier() string { return o.Metadata.Labels[tierLabel] }

// ended tells whether a pod's processes are over.
func (o object) ended() bool { return o.Status.Phase == "Succeeded" || o.Status.Phase == "Failed" }

// requests are those of all containers: cores and MiB.
func (o object) requests() (cpu, memoryMiB float64) {
	for _, c := range o.Spec.Containers {
		cpu += cores(c.Resources.Requests["cpu"])
		memoryMiB += mebi(c.Resources.Requests["memory"])
	}
	return cpu, memoryMiB
}
