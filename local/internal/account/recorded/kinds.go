// Package recorded holds what AWS checks when it records a resource of which nothing runs here.
package recorded

import (
	"threetier/local/internal/account/state"
)

// Kinds are the types of resources of which nothing runs here.
func Kinds(a *state.Shared) map[string]state.Kind {
	return map[string]state.Kind{
		KindSecurityGroup: state.NewKind(a, "name", createSecurityGroup, nil, removeSecurityGroup),
		KindIngressRule:   state.NewKind(a, "", createIngressRule, updateIngressRule),
		KindRole:          state.NewKind(a, "name", createRole, updateRole, removeRole),
		KindAttachment:    state.NewKind(a, "", createAttachment),
		KindRolePolicy:    state.NewKind(a, "name", createRolePolicy, updateRolePolicy),
		KindAssociation:   state.NewKind(a, "", createAssociation, updateAssociation),
		KindLogGroup:      state.NewKind(a, "name", createLogGroup, updateLogGroup),
		KindAlarm:         state.NewKind(a, "name", createAlarm, updateAlarm),
		KindMetricFilter:  state.NewKind(a, "name", createMetricFilter, updateMetricFilter),
		KindDashboard:     state.NewKind(a, "dashboardName", createDashboard, updateDashboard),
		KindHealthCheck:   state.NewKind(a, "", createHealthCheck, updateHealthCheck),
		KindSecret:        state.NewKind(a, "name", createSecret, nil, removeSecret),
		KindSecretVersion: state.NewKind(a, "", createSecretVersion),
	}
}
