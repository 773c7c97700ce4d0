// SPDX-License-Identifier: MIT
/* Why, in a word for programs and in a sentence for people. See policy.h. No state. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "balancer/policy.h"

#define SIZE_TEXT 24

static const struct {
	const char *name, *text;
} reasons[POLICY_REASON_COUNT] = {
	[POLICY_STATIC] = {"static", "its memory is not dynamic"},
	[POLICY_SILENT] = {"silent", "it does not answer, and is left alone"},
	[POLICY_INVALID] = {"invalid", "what it says of itself cannot be; it is left alone"},
	[POLICY_NO_DRIVER] = {"no-driver", "its guest has no driver for dynamic memory"},
	[POLICY_NO_REPORT] = {"no-report", "its guest has not reported yet"},
	[POLICY_GRACE] = {"grace", "its guest has just started"},
	[POLICY_STALE] = {"stale", "its guest has stopped reporting, and is left alone"},
	[POLICY_STEADY] = {"steady", "it has what it should have"},
	[POLICY_AT_MAXIMUM] = {"at-maximum", "it has its maximum"},
	[POLICY_SHARE] = {"share", "memory is short, and it has its share by weight"},
	[POLICY_NO_MORE] = {"no-more", "its guest does not take more"},
	[POLICY_NO_LESS] = {"no-less", "its guest does not give more back"},
	[POLICY_HELD] = {"held", "it has a surplus, which nobody needs now"},
	[POLICY_BELOW_MINIMUM] = {"below-minimum", "it is below its minimum"},
	[POLICY_THRASHING] = {"thrashing", "its guest has nothing available"},
	[POLICY_STARVED] = {"starved", "it uses more than it has"},
	[POLICY_BUFFER] = {"buffer", "its buffer is not full"},
	[POLICY_WAITING] = {"waiting", "it waits for memory that others give back"},
	[POLICY_SURPLUS] = {"surplus", "it has not needed so much for a while"},
	[POLICY_OTHERS] = {"others", "others need memory, and it is the least pressed"},
	[POLICY_HOST_SHORT] = {"host-short", "the host itself is short of memory"},
};

const char *policy_reason_name(enum policy_reason reason)
{
	return reasons[reason].name;
}

int policy_reason_parse(const char *name, enum policy_reason *ret)
{
	for (int i = 0; i < POLICY_REASON_COUNT; i++) {
		if (strcmp(reasons[i].name, name) == 0) {
			*ret = (enum policy_reason)i;
			return 0;
		}
	}
	return -EINVAL;
}

static const char *size_text(uint64_t bytes, char buf[SIZE_TEXT])
{
	if (bytes >= GiB(10))
		snprintf(buf, SIZE_TEXT, "%.1f GiB", (double)bytes / (double)GiB(1));
	else
		snprintf(buf, SIZE_TEXT, "%llu MiB", (unsigned long long)(bytes / MiB(1)));
	return buf;
}

void policy_reason_text(const struct policy_decision *d, char *buf, size_t size)
{
	char demand[SIZE_TEXT], assigned[SIZE_TEXT], ideal[SIZE_TEXT], share[SIZE_TEXT];

	if (d->reason < POLICY_STEADY) {
		snprintf(buf, size, "%s", reasons[d->reason].text);
		return;
	}
	size_text(d->demand, demand);
	size_text(d->assigned, assigned);
	size_text(d->ideal, ideal);
	size_text(d->share, share);
	snprintf(buf, size, "%s: pressure %u (%s committed, %s visible), ideal %s, share %s",
		 reasons[d->reason].text, d->pressure, demand, assigned, ideal, share);
}
