package components

import "github.com/pulumi/pulumi/sdk/v3/go/pulumi"

// FrontendType is Frontend's type token.
const FrontendType = "threetier:index:Frontend"

// FrontendServiceName is the Service that nginx reaches the frontend by.
const FrontendServiceName = "frontend-service"

// What a frontend gets where its args say nothing.
const (
	DefaultFrontendPort        = 8080
	DefaultFrontendHealthPath  = "/"
	DefaultFrontendMinReplicas = 2
	DefaultFrontendMaxReplicas = 6
	DefaultFrontendCPU         = "50m"
	DefaultFrontendMemory      = "64Mi"
)

var frontendDefaults = workloadDefaults{
	port:        DefaultFrontendPort,
	healthPath:  DefaultFrontendHealthPath,
	minReplicas: DefaultFrontendMinReplicas,
	maxReplicas: DefaultFrontendMaxReplicas,
	cpu:         DefaultFrontendCPU,
	memory:      DefaultFrontendMemory,
}

// FrontendArgs describe what serves the pages.
type FrontendArgs struct {
	WorkloadArgs
	// Namespace is where the frontend runs. Required; App sets it.
	Namespace pulumi.StringInput
}
