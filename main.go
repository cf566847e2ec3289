// threetier takes a React frontend and a FastAPI backend to production.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/internal/stack"
)

func main() {
	pulumi.Run(stack.Deploy)
}
