module threetier/local

go 1.25.0

require (
	github.com/pulumi/pulumi/sdk/v3 v3.255.0
	threetier v0.0.0
)

replace threetier => ../
