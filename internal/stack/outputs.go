package stack

// Output is one of a stack's, for whoever lists them.
type Output struct {
	// Name is the output's own.
	Name string
	// Doc says what it is.
	Doc string
	// Optional tells that not every stack has it.
	Optional bool
	// Records tells that it is a list of DNS records, which not every stack has. Default: it is a string.
	Records bool
}

// Outputs are those that a stack can have.
var Outputs = []Output{
	{Name: "url", Doc: "where a browser finds the site: the domain's name, or the load balancer's"},
	{Name: "databaseEndpoint", Doc: "host and port of the database"},
	{Name: "databaseIdentifier", Doc: "the identifier of the RDS instance"},
	{Name: "namespace", Doc: "the namespace of the app"},
	{Name: "version", Doc: "the version of threetier that made the last `up`"},
	{Name: "kubectl", Doc: "a command that lists the pods"},
	{Name: "previews", Doc: "the facts that previews need of a stack that lets them in, as a secret", Optional: true},
	{Name: "dnsRecords", Doc: "the records to make by hand at your DNS provider", Records: true},
}
