package nginx

import (
	"cmp"
	"fmt"
	"strconv"

	"threetier/components/app/pods"
	"threetier/internal/constraint"
	"threetier/internal/problems"
)

// The memory of a pod is divided in three steps, here with 128Mi and one worker:
//
//	128 MiB                              131072 KiB
//	less nginx itself                    - 16384 (master, libraries, zones)
//	less the workers                     -  8192 (8 MiB each)
//	are left for the clients             106496 KiB
//	of which half is for requests        72 requests of 730 KiB: 52560 KiB
//	and the rest for waiting clients     374 connections of 144 KiB
//
// A request has a connection on both sides, so a worker may have 374 + 2·72 = 518 connections. The sizes are the worst
// that a client can bring about. They follow from the directives in nginx.conf.tmpl, and a test adds them up again from a
// rendered config. Sockets count, since Kubernetes charges them to the pod.
const (
	baseKiB, workerKiB = 16 << 10, 8 << 10

	// socketKiB is what the kernel keeps of one direction of a connection: SocketBytes, and the packet that went over it.
	socketKiB = SocketBytes>>10 + 32
	// headersKiB are client_header_buffer_size and large_client_header_buffers.
	headersKiB = 2 + 2*16
	// forwardedKiB is their copy to the app, with the host a second time.
	forwardedKiB = headersKiB + 16 + 2
	// bodyKiB is client_body_buffer_size, answerKiB are proxy_buffer_size and proxy_buffers.
	bodyKiB, answerKiB = 16, 16 + 4*16
	// compressionKiB is four times gzip_window, twice gzip_hash and 8 (zlib's own sum), and gzip_buffers.
	compressionKiB = 4*16 + 2*16 + 8 + 4*8
	// noteKiB is what nginx notes of a connection or a request, kernelKiB what the kernel notes of a connection.
	noteKiB, kernelKiB = 6, 8

	// connectionKiB is a client that waits: it sends headers, or hasn't read the end of its last answer.
	connectionKiB = headersKiB + noteKiB + kernelKiB + socketKiB
	// requestKiB is one under way, with two sockets in both directions.
	requestKiB = headersKiB + forwardedKiB + bodyKiB + answerKiB + compressionKiB + 2*noteKiB + 2*kernelKiB + 4*socketKiB

	// browserConnections is what a browser opens to one host.
	browserConnections = 6
	// minRequests is two browsers, minConnections what a worker needs for them.
	minRequests, minConnections = 2 * browserConnections, 32
	// Beyond these, other limits of a process come first.
	maxRequests, maxConnections = 4096, 8192
)

// SocketBytes is the largest buffer of one direction of a TCP connection in nginx's pods.
// Behind a load balancer that ends TLS the other end is a millisecond away, where 64 KiB carry
// tens of megabytes per second.
const SocketBytes = 64 << 10

// What bodies and answers on their way take on a pod's disk at most.
const (
	uploadsMiB = 1024
	answersMiB = 512
	// minUploads of one size may always be under way, however large they are.
	minUploads       = 4
	maxAnswerKiB     = 64 << 10
	maxRatePerClient = 100000
)

// bounds is what the config says of them.
type bounds struct {
	Connections                 int // of one worker
	Requests, RequestsPerClient int
	UpstreamKeepalive           int
	AnswerKiB                   int

	uploadsGiven int
	sizes        int // different sizes of bodies, each with its own share of the disk
}

func (args Args) clientsKiB() int {
	return pods.MemoryMiB(args.Resources.Memory)<<10 - baseKiB - pods.WholeCores(args.Resources.CPU)*workerKiB
}

// mostOf leaves the rest to clients that wait.
func mostOf(requests int) int { return requests * 9 / 10 }

// mostRequests is where no memory is left for clients that wait.
func (args Args) mostRequests() int { return min(maxRequests, args.clientsKiB()/requestKiB) }

// limits divide the memory: half for requests under way unless the args say otherwise, the rest for clients that wait.
func (args Args) limits() bounds {
	requests := cmp.Or(args.Limits.Requests, max(1, args.mostRequests()/2))
	waiting := (args.clientsKiB() - requests*requestKiB) / connectionKiB
	connections := min(maxConnections, (waiting+2*requests)/pods.WholeCores(args.Resources.CPU))
	return bounds{
		Connections: connections, Requests: requests,
		RequestsPerClient: cmp.Or(args.Limits.RequestsPerClient, max(browserConnections, share(requests))),
		UpstreamKeepalive: min(256, connections/8),
		AnswerKiB:         min(maxAnswerKiB, answersMiB<<10/requests),
		uploadsGiven:      args.Limits.Uploads,
		sizes:             args.bodySizes(),
	}
}

func (args Args) bodySizes() int {
	sizes := map[string]bool{args.MaxBodySize: true}
	for _, route := range args.Routes {
		sizes[cmp.Or(route.MaxBodySize, args.MaxBodySize)] = true
	}
	return len(sizes)
}

// uploads is how many bodies of up to a size are under way at once: those that fit into the size's share of the disk.
func (l bounds) uploads(size string) int {
	fit := uploadsMiB << 20 / l.sizes / bodyBytes(size)
	return cmp.Or(l.uploadsGiven, min(l.Requests, max(minUploads, fit)))
}

// share is what one client gets: three that take all they can leave a quarter to the others. An office is one client, too.
func share(all int) int { return (all + 3) / 4 }

// roomy tells whether the memory is enough for minRequests, whatever the args' own limits are.
func (args Args) roomy() bool {
	args.Limits = LimitArgs{}
	l := args.limits()
	return args.mostRequests()/2 >= minRequests && l.Connections >= minConnections
}

// leastMemory is the smallest that is roomy.
func (args Args) leastMemory() string {
	for !args.roomy() {
		args.Resources.Memory = fmt.Sprintf("%dMi", pods.MemoryMiB(args.Resources.Memory)+1)
	}
	return args.Resources.Memory
}

// limitProblems looks at args whose resources are sound, and complete.
func (args Args) limitProblems() problems.List {
	if !args.roomy() {
		return problems.List{{
			Path: "resources.memory", Value: strconv.Quote(args.Resources.Memory),
			Want: fmt.Sprintf("at least %s, for %d requests at once in each of %d workers", args.leastMemory(), minRequests, pods.WholeCores(args.Resources.CPU)),
		}}
	}
	hold := func(path string, value, least, most int) problems.List {
		if value == 0 {
			return nil
		}
		return constraint.Number{Min: least, Max: most}.Problems(path, &value)
	}
	return append(hold("limits.requests", args.Limits.Requests, minRequests, mostOf(args.mostRequests())),
		hold("limits.requestsPerClient", args.Limits.RequestsPerClient, 1, args.limits().Requests)...)
}
