package rehearse

import "time"

// Report is what a rehearsal has seen. Times are seconds since the load began.
type Report struct {
	// Stack is the stack whose config was rehearsed; Base and Head are the commits.
	Stack string `json:"stack"`
	Base  string `json:"base"`
	Head  string `json:"head"`
	// Ended is when, Seconds how long all of it took.
	Ended   time.Time `json:"ended"`
	Seconds float64   `json:"seconds"`
	// Rate is the number of requests per second, Requests are their kinds.
	Rate     int       `json:"rate"`
	Requests []Request `json:"requests"`
	// Notes say where the rehearsal differs from the stack config.
	Notes []string `json:"notes"`
	// Steps are in the order of time.
	Steps []Step `json:"steps"`
	// Failed is the reason why the rehearsal ended before its last step.
	Failed string `json:"failed,omitempty"`
	// Watched is the number of pods that were seen.
	Watched int `json:"watched"`
	// Pods are the most that the pods of a tier have used.
	Pods []PodUse `json:"pods"`
	// Seconds of the load, for the picture.
	Timeline []Second `json:"timeline"`
	// LockSeconds is the gate's limit.
	LockSeconds int `json:"lockSeconds"`
	// P99Before and P99During are of the step before the first change and of the slowest one since, P99Limit the gate's limit
	// of the second, in milliseconds.
	P99Before float64 `json:"p99Before"`
	P99During float64 `json:"p99During"`
	P99Limit  float64 `json:"p99Limit"`
	// Findings are what the gate looks at, Unneeded the exceptions that no finding needs.
	Findings []Finding `json:"findings"`
	Unneeded []string  `json:"unneeded,omitempty"`
}

// Step is a part of the rehearsal: an up under load, or a while without a change.
type Step struct {
	// Name is the step's, Move that of the up that it belongs to: what follows from an up may show only after it.
	Name string `json:"name"`
	Move string `json:"move"`
	// From and To are its limits.
	From float64 `json:"from"`
	To   float64 `json:"to"`
	// Up tells that it is an up, Problem why that failed.
	Up      bool   `json:"up"`
	Problem string `json:"problem,omitempty"`
	// Sent and Lost count the requests that began in this step; Lost is by kind.
	Sent    int            `json:"sent"`
	Lost    map[string]int `json:"lost"`
	Example string         `json:"example,omitempty"` // the first that was lost
	// P50 and P99 are of the answered requests, in milliseconds.
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	// Migration is how long the migration of an up took; 0 where none ran.
	Migration float64 `json:"migration,omitempty"`
	// Samples is how often the locks were looked at.
	Samples int `json:"samples"`
	// Locks are those that kept others from a table for a second or longer, Waits the statements that waited for any.
	Locks []Lock `json:"locks,omitempty"`
	Waits Waits  `json:"waits"`
	// Rows are the rows of each table at the step's end.
	Rows map[string]int `json:"rows,omitempty"`
	// Errors are lines of the logs that report one, by the version whose image wrote them.
	Errors []LogErrors `json:"errors,omitempty"`
	// Restarts are containers that ended by themselves or were killed.
	Restarts []string `json:"restarts,omitempty"`
}

// Lost is the number of lost requests.
func (s Step) lost() int {
	n := 0
	for _, of := range s.Lost {
		n += of
	}
	return n
}

// Lock is one that a transaction held.
type Lock struct {
	Table   string  `json:"table"`
	Mode    string  `json:"mode"`
	Seconds float64 `json:"seconds"`
	Who     string  `json:"who"`
	Query   string  `json:"query"`
}

// Waits are the statements that waited for a lock.
type Waits struct {
	Statements int     `json:"statements"`
	Longest    float64 `json:"longest"` // seconds
	Example    string  `json:"example,omitempty"`
}

// LogErrors are a version's lines that report an error.
type LogErrors struct {
	Version string `json:"version"` // the version whose pod wrote them
	Tier    string `json:"tier"`
	Lines   int    `json:"lines"`
	Example string `json:"example"`
}

// PodUse is the most that a pod of a tier has used, beside what it asks for.
type PodUse struct {
	Tier          string  `json:"tier"`
	CPU           float64 `json:"cpu"` // cores
	CPURequest    float64 `json:"cpuRequest"`
	Memory        float64 `json:"memory"` // MiB
	MemoryRequest float64 `json:"memoryRequest"`
	Most          int     `json:"most"` // pods at the same time
}

// Second is one second of the load.
type Second struct {
	Sent int     `json:"sent"`
	Lost int     `json:"lost"`
	P99  float64 `json:"p99"` // milliseconds
}
