// Command images is make pin, make promote and make renew: gate/images for a checkout.
package main

import (
	"fmt"
	"os"

	"threetier/gate/images"
)

func main() {
	if err := images.Run(os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n", err)
		os.Exit(1)
	}
}
