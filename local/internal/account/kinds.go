// Package recorded holds what AWS checks when it records a resource of which nothing runs here.
package account

// recordedKinds are the types of resources of which nothing runs here.
func recordedKinds(a *shared) map[string]kind {
	return map[string]kind{
		kindSecurityGroup: newKind(a, "name", createSecurityGroup, nil, removeSecurityGroup),
		kindIngressRule:   newKind(a, "", createIngressRule, updateIngressRule),
		kindRole:          newKind(a, "name", createRole, updateRole, removeRole),
		kindAttachment:    newKind(a, "", createAttachment),
		kindRolePolicy:    newKind(a, "name", createRolePolicy, updateRolePolicy),
		kindAssociation:   newKind(a, "", createAssociation, updateAssociation),
		kindLogGroup:      newKind(a, "name", createLogGroup, updateLogGroup),
		kindAlarm:         newKind(a, "name", createAlarm, updateAlarm),
		kindMetricFilter:  newKind(a, "name", createMetricFilter, updateMetricFilter),
		kindDashboard:     newKind(a, "dashboardName", createDashboard, updateDashboard),
		kindHealthCheck:   newKind(a, "", createHealthCheck, updateHealthCheck),
		kindSecret:        newKind(a, "name", createSecret, nil, removeSecret),
		kindSecretVersion: newKind(a, "", createSecretVersion),
	}
}
