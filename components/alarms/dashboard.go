package alarms

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/route53"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"threetier/components/app/pods"
)

const (
	boardWidth   = 24 // of every CloudWatch dashboard
	graphHeight  = 6
	graphSeconds = 60
)

// board is a dashboard, row by row.
type board struct {
	region  string
	widgets pulumi.Array
	y       int
}

// graph is one of a row.
type graph struct {
	title string
	lines []query
	// region is where the metrics are. Default: the board's.
	region string
	// limit is a line of its own; 0: none.
	limit int
}

// createDashboard has the request path first, then a row for each tier, then the database.
func (b *builder) createDashboard(outside *route53.HealthCheck) error {
	board := &board{region: b.args.Region}
	board.alarms(append(b.made, b.args.DatabaseAlarms...))
	board.row("Requests", b.requestGraphs(outside)...)
	if b.args.LogGroup != "" {
		for _, tier := range b.args.Tiers {
			board.row(tier.Name, b.tierGraphs(tier)...)
		}
	}
	board.row("Database", b.databaseGraphs()...)
	dashboard, err := cloudwatch.NewDashboard(b.ctx, b.name, &cloudwatch.DashboardArgs{
		DashboardName: pulumi.String(b.title()),
		DashboardBody: pulumi.JSONMarshal(pulumi.Map{"widgets": board.widgets}),
	}, b.child())
	if err != nil {
		return err
	}
	b.parent.Dashboard = dashboard.DashboardName
	return nil
}

func (b *builder) requestGraphs(outside *route53.HealthCheck) []graph {
	var graphs []graph
	if b.args.LogGroup != "" {
		graphs = append(graphs,
			graph{title: "Requests and 5xx", lines: []query{b.own("requests", requestMetric, "SampleCount"), b.own("errors", errorMetric, "Sum")}},
			graph{title: "Seconds", lines: []query{b.own("p50", requestMetric, "p50"), b.own("p95", requestMetric, "p95")}, limit: b.args.SlowSeconds})
	}
	if b.args.EKS != "" {
		graphs = append(graphs, graph{title: "Targets of the load balancer", lines: []query{
			{id: "healthy", expression: b.targets("MIN", "HealthyHostCount")}, {id: "unhealthy", expression: b.targets("MAX", "UnHealthyHostCount")},
		}})
	}
	if outside != nil {
		graphs = append(graphs, graph{title: "Answers on the internet", lines: []query{outsideStatus(outside)}, region: outsideRegion})
	}
	return graphs
}

func (b *builder) tierGraphs(tier pods.Tier) []graph {
	line := func(id, metric, stat string) query { return b.insight(id, tier, metric, stat) }
	return []graph{
		{
			title: "Pods", limit: tier.MaxReplicas,
			lines: []query{line("desired", "replicas_desired", "Maximum"), line("available", "status_replicas_available", "Minimum")},
		},
		{title: "CPU, % of the limit", lines: []query{line("mean", "pod_cpu_utilization_over_pod_limit", "Average"), line("busiest", "pod_cpu_utilization_over_pod_limit", "Maximum")}},
		{title: "Memory, % of the limit", lines: []query{line("mean", "pod_memory_utilization_over_pod_limit", "Average"), line("fullest", "pod_memory_utilization_over_pod_limit", "Maximum")}},
		{title: "Restarts", lines: []query{line("restarts", "pod_number_of_container_restarts", "Sum")}},
	}
}

func (b *builder) databaseGraphs() []graph {
	line := func(id, metric string) query {
		return query{id: id, namespace: "AWS/RDS", metric: metric, stat: "Average", dimensions: pulumi.StringMap{"DBInstanceIdentifier": b.args.Database}}
	}
	return []graph{
		{title: "CPU, %", lines: []query{line("cpu", "CPUUtilization")}},
		{title: "Connections", lines: []query{line("connections", "DatabaseConnections")}},
		{title: "Free storage and memory, bytes", lines: []query{line("storage", "FreeStorageSpace"), line("memory", "FreeableMemory")}},
		{title: "Seconds of a read and a write", lines: []query{line("read", "ReadLatency"), line("write", "WriteLatency")}},
	}
}

// alarms are the states of all alarms of the region.
func (d *board) alarms(arns pulumi.StringArray) {
	if len(arns) > 0 {
		const height = 3
		d.add("alarm", 0, boardWidth, height, pulumi.Map{"title": pulumi.String("Alarms"), "alarms": arns})
		d.y += height
	}
}

// row is a heading and graphs side by side; without graphs it is none.
func (d *board) row(heading string, graphs ...graph) {
	if len(graphs) == 0 {
		return
	}
	d.add("text", 0, boardWidth, 1, pulumi.Map{"markdown": pulumi.String("## " + heading)})
	d.y++
	width := boardWidth / len(graphs)
	for i, graph := range graphs {
		d.add("metric", i*width, width, graphHeight, d.properties(graph))
	}
	d.y += graphHeight
}

func (d *board) add(kind string, x, width, height int, properties pulumi.Map) {
	d.widgets = append(d.widgets, pulumi.Map{
		"type": pulumi.String(kind), "x": pulumi.Int(x), "y": pulumi.Int(d.y),
		"width": pulumi.Int(width), "height": pulumi.Int(height), "properties": properties,
	})
}

func (d *board) properties(g graph) pulumi.Map {
	var lines pulumi.Array
	for _, line := range g.lines {
		lines = append(lines, line.line())
	}
	properties := pulumi.Map{
		"title": pulumi.String(g.title), "region": pulumi.String(cmp.Or(g.region, d.region)), "metrics": lines, "period": pulumi.Int(graphSeconds),
		"view": pulumi.String("timeSeries"), "yAxis": pulumi.Map{"left": pulumi.Map{"min": pulumi.Int(0)}},
	}
	if g.limit > 0 {
		properties["annotations"] = pulumi.Map{"horizontal": pulumi.Array{pulumi.Map{
			"label": pulumi.String(fmt.Sprintf("limit: %d", g.limit)), "value": pulumi.Int(g.limit),
		}}}
	}
	return properties
}

// line is a query as a dashboard has it: names and values in a list, options at its end.
func (q query) line() pulumi.Array {
	options := pulumi.Map{"id": pulumi.String(q.id), "label": pulumi.String(q.id)}
	if q.expression != nil {
		options["expression"] = q.expression
		return pulumi.Array{options}
	}
	line := pulumi.Array{pulumi.String(q.namespace), pulumi.String(q.metric)}
	for _, name := range slices.Sorted(maps.Keys(q.dimensions)) {
		line = append(line, pulumi.String(name), q.dimensions[name])
	}
	options["stat"] = pulumi.String(q.stat)
	return append(line, options)
}
