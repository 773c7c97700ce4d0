// SPDX-License-Identifier: MIT
/* Where the fleet's control group is. See cpu_home.h. */
#include "candela/cpu_home.h"

#include "candela/systemd_scope.h"
#include "vmm/cgroup.h"

int cpu_home_open(struct error *err, struct cpu_fleet *ret)
{
	char dir[PATH_MAX];
	int r = cgroup_find_own("", err, dir);

	if (r == 0 && cpu_fleet_of_systemd("") && !systemd_delegated(dir)) {
		/* What systemd cannot give either is better said in words of ours. */
		r = cpu_fleet_probe("", err);
		if (r == 0)
			r = systemd_scope_enter("", err, dir);
	}
	return r < 0 ? r : cpu_fleet_open("", dir, err, ret);
}

void cpu_home_tidy(void)
{
	struct cpu_fleet fleet;
	char dir[PATH_MAX], top[PATH_MAX];
	int r = cgroup_find_own("", NULL, dir);

	if (r == 0 && cpu_fleet_of_systemd("") && !systemd_delegated(dir)) {
		r = cgroup_find_top("", NULL, top);
		if (r == 0 && !systemd_scope_path(top, dir))
			return;
	}
	if (r < 0 || cpu_fleet_find("", dir, NULL, &fleet) < 0)
		return;
	cpu_fleet_tidy(&fleet);
	cpu_fleet_close(&fleet);
}
