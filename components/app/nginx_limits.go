package app

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"threetier/internal/optional"
	"threetier/internal/problems"
)

// What a pod of nginx holds in memory at worst, in KiB. The sums are of the directives in
// nginx.conf.tmpl; a test adds them up again from a rendered config. Sockets count, since
// Kubernetes charges them to the pod.
const (
	// nginxBaseKiB is the master with its libraries and zones, nginxWorkerKiB a worker without clients.
	nginxBaseKiB, nginxWorkerKiB = 16 << 10, 8 << 10
	// socketKiB is what the kernel keeps of one direction of a connection: NginxSocketBytes, and
	// the packet that went over it.
	socketKiB = NginxSocketBytes>>10 + 32
	// connectionKiB is a client without a request under way: one that is sending its headers (34,
	// and 6 for what nginx notes), or that hasn't read its last answer.
	connectionKiB = 34 + 6 + 8 + socketKiB
	// requestKiB is one under way: its headers and their copy with a second Host (34 + 52), body
	// (16), answer (16 + 4·16), compression (64 + 32 + 8, and 4·8 of what it makes), what nginx notes
	// (16), and two sockets in both directions.
	requestKiB = 34 + 52 + 16 + 80 + 136 + 12 + 16 + 4*socketKiB
	// minRequests is two browsers with six connections each, minConnections what a worker needs for them.
	minRequests, minConnections = 12, 32
	// Beyond these, other limits of a process come first.
	maxRequests, maxConnections = 4096, 8192
)

// NginxSocketBytes is the largest buffer of one direction of a TCP connection in nginx's pods.
// Behind a load balancer that ends TLS the other end is a millisecond away, where 64 KiB carry
// tens of megabytes per second.
const NginxSocketBytes = 64 << 10

// What bodies and answers on their way take on a pod's disk at most.
const (
	uploadsMiB = 1024
	answersMiB = 512
	// minUploads of one size may always be under way, however large they are.
	minUploads       = 4
	maxAnswerKiB     = 64 << 10
	maxRatePerClient = 100000
)

// LimitArgs bound what clients may take of one nginx pod.
type LimitArgs struct {
	// Requests is how many are under way at once; a WebSocket is one as long as it is open. Default: what fits into
	// half of the memory.
	Requests *int
	// RequestsPerClient is one client's share of Requests. Default: half.
	RequestsPerClient *int
	// Uploads is how many bodies of 100 kB or more are under way at once, for each maxBodySize; one
	// client gets half. Default: what fits into 1 GiB of disk, at least 4.
	Uploads *int
	// RatePerClient is how many requests a client may send per second; as many more may come at once. Default: 0, any number.
	RatePerClient *int
}

// nginxLimits is what the config says of them.
type nginxLimits struct {
	Connections                 int // of one worker
	Requests, RequestsPerClient int
	UpstreamKeepalive           int
	AnswerKiB                   int

	uploadsGiven *int
	sizes        int // different sizes of bodies, each with its own share of the disk
}

func (args NginxArgs) freeKiB() int {
	return memoryMiB(args.Resources.Memory)<<10 - nginxBaseKiB - wholeCores(args.Resources.CPU)*nginxWorkerKiB
}

// mostRequests is where no memory is left for clients that wait.
func (args NginxArgs) mostRequests() int { return min(maxRequests, args.freeKiB()/requestKiB) }

// limits divide the memory: half for requests under way unless the args say otherwise, the rest for clients without one.
func (args NginxArgs) limits() nginxLimits {
	workers := wholeCores(args.Resources.CPU)
	requests := *optional.Or(args.Limits.Requests, max(1, args.mostRequests()/2))
	waiting := (args.freeKiB() - requests*requestKiB) / connectionKiB
	connections := min(maxConnections, (waiting+2*requests)/workers)
	sizes := []string{args.MaxBodySize}
	for _, route := range args.Routes {
		if route.MaxBodySize != "" && !slices.Contains(sizes, route.MaxBodySize) {
			sizes = append(sizes, route.MaxBodySize)
		}
	}
	return nginxLimits{
		Connections: connections, Requests: requests,
		RequestsPerClient: *optional.Or(args.Limits.RequestsPerClient, share(requests)),
		UpstreamKeepalive: min(256, connections/8),
		AnswerKiB:         min(maxAnswerKiB, answersMiB<<10/requests),
		uploadsGiven:      args.Limits.Uploads, sizes: len(sizes),
	}
}

// uploads is how many bodies of up to a size are under way at once.
func (l nginxLimits) uploads(size string) int {
	fit := min(l.Requests, max(minUploads, uploadsMiB<<20/l.sizes/bodyBytes(size)))
	return *optional.Or(l.uploadsGiven, fit)
}

// share is what one client gets.
func share(all int) int { return (all + 1) / 2 }

// memoryMiB reads a value that memoryUnit accepts.
func memoryMiB(memory string) int {
	n, _ := strconv.Atoi(memory[:len(memory)-2])
	if strings.HasSuffix(memory, "Gi") {
		return n << 10
	}
	return n
}

// roomy tells whether the memory is enough for a few clients, whatever the args' own limits are.
func (args NginxArgs) roomy() bool {
	args.Limits = LimitArgs{}
	l := args.limits()
	return args.mostRequests()/2 >= minRequests && l.Connections >= minConnections
}

func (args NginxArgs) leastMemory() string {
	for !args.roomy() {
		args.Resources.Memory = fmt.Sprintf("%dMi", memoryMiB(args.Resources.Memory)+1)
	}
	return args.Resources.Memory
}

// limitProblems looks at args whose resources are sound.
func (args NginxArgs) limitProblems() problems.List {
	args = args.withDefaults()
	if !args.roomy() {
		return problems.List{{
			Path: "resources.memory", Value: strconv.Quote(args.Resources.Memory),
			Want: fmt.Sprintf("at least %s, for %d requests at once in each of %d workers", args.leastMemory(), minRequests, wholeCores(args.Resources.CPU)),
		}}
	}
	requests, perClient := RequestsConstraint, RequestsPerClientConstraint
	requests.Max = args.mostRequests() * 9 / 10 // the rest is for clients that wait
	perClient.Max = args.limits().Requests
	ps := requests.Problems("requests", args.Limits.Requests)
	ps = append(ps, perClient.Problems("requestsPerClient", args.Limits.RequestsPerClient)...)
	ps = append(ps, UploadsConstraint.Problems("uploads", args.Limits.Uploads)...)
	ps = append(ps, RatePerClientConstraint.Problems("ratePerClient", args.Limits.RatePerClient)...)
	return ps.Under("limits")
}
