// Command plan is make plan: gate/plan for a checkout.
package main

import (
	"flag"
	"fmt"
	"os"

	"threetier/gate/plan"
)

func main() {
	base := flag.String("base", "", "the commit to compare with")
	asJSON := flag.Bool("json", false, "print the comparison as JSON")
	flag.Parse()
	if err := plan.Run(os.Stdout, ".", *base, *asJSON); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n", err)
		os.Exit(1)
	}
}
