// SPDX-License-Identifier: MIT
/*
 * candela-slirp: the user-mode network of one NIC. candela runs it (devices/net/net_user.c) and
 * tells it with options what the network looks like; on the socket that it is given it says "ready"
 * first, or why it is not. One thread.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "candela/slirp/slirp_stack.h"

#define SOCKET_FD 3

struct arguments {
	struct slirp_config config;
	struct net_plan_config plan;
	bool help;
};

enum {
	OPT_NETWORK = 1,
	OPT_HOST,
	OPT_DNS,
	OPT_DHCP,
	OPT_NETWORK6,
	OPT_HOST6,
	OPT_DNS6,
	OPT_HOSTNAME,
	OPT_DOMAIN,
	OPT_MTU,
	OPT_FORWARD,
	OPT_RESTRICT,
	OPT_NO_IPV4,
	OPT_NO_IPV6,
	OPT_HELP
};

static const struct option options[] = {
	{"network", required_argument, NULL, OPT_NETWORK},
	{"host", required_argument, NULL, OPT_HOST},
	{"dns", required_argument, NULL, OPT_DNS},
	{"dhcp-start", required_argument, NULL, OPT_DHCP},
	{"network6", required_argument, NULL, OPT_NETWORK6},
	{"host6", required_argument, NULL, OPT_HOST6},
	{"dns6", required_argument, NULL, OPT_DNS6},
	{"hostname", required_argument, NULL, OPT_HOSTNAME},
	{"domain", required_argument, NULL, OPT_DOMAIN},
	{"mtu", required_argument, NULL, OPT_MTU},
	{"forward", required_argument, NULL, OPT_FORWARD},
	{"restrict", no_argument, NULL, OPT_RESTRICT},
	{"no-ipv4", no_argument, NULL, OPT_NO_IPV4},
	{"no-ipv6", no_argument, NULL, OPT_NO_IPV6},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

static const char usage[] =
	"Usage: candela-slirp [OPTION]...\n\n"
	"A user-mode network for one NIC, whose frames come and go on descriptor 3, a\n"
	"socket of type SOCK_SEQPACKET, with a virtio network header of 12 bytes each.\n"
	"candela runs this for \"--net user\", whose keys the options are:\n\n"
	"  --network ADDRESS/PREFIX   --host ADDRESS   --dns ADDRESS   --dhcp-start ADDRESS\n"
	"  --network6 ADDRESS/PREFIX  --host6 ADDRESS  --dns6 ADDRESS\n"
	"  --hostname NAME  --domain NAME  --mtu BYTES\n"
	"  --forward (tcp|udp):[ADDRESS:]PORT:GUESTPORT\n"
	"  --restrict  --no-ipv4  --no-ipv6\n";

static int set_mtu(const char *text, struct slirp_config *config, struct error *err)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*end || v < 576 || v > 65535)
		return error_set(err, -EINVAL, "mtu: expected 576 to 65535, got \"%.20s\"", text);
	config->mtu = (unsigned int)v;
	return 0;
}

static int add_forward(const char *text, struct slirp_config *config, struct error *err)
{
	if (config->forward_count == SLIRP_FORWARDS_MAX)
		return error_set(err, -EINVAL, "forward: more than %u", SLIRP_FORWARDS_MAX);
	return net_forward_parse(text, err, &config->forwards[config->forward_count++]);
}

/* An option whose value is text that is looked at later; NULL: it is another. */
static const char **text_option(int option, struct arguments *args)
{
	switch (option) {
	case OPT_NETWORK:
		return &args->plan.network;
	case OPT_HOST:
		return &args->plan.host;
	case OPT_DNS:
		return &args->plan.dns;
	case OPT_DHCP:
		return &args->plan.dhcp;
	case OPT_NETWORK6:
		return &args->plan.network6;
	case OPT_HOST6:
		return &args->plan.host6;
	case OPT_DNS6:
		return &args->plan.dns6;
	case OPT_HOSTNAME:
		return &args->config.hostname;
	case OPT_DOMAIN:
		return &args->config.domain;
	default:
		return NULL;
	}
}

static int set_option(int option, struct arguments *args, struct error *err)
{
	const char **text = text_option(option, args);

	if (text) {
		*text = optarg;
		return 0;
	}
	switch (option) {
	case OPT_MTU:
		return set_mtu(optarg, &args->config, err);
	case OPT_FORWARD:
		return add_forward(optarg, &args->config, err);
	case OPT_RESTRICT:
		args->config.restricted = true;
		return 0;
	case OPT_NO_IPV4:
		args->config.ipv4 = false;
		return 0;
	case OPT_NO_IPV6:
		args->config.ipv6 = false;
		return 0;
	case OPT_HELP:
		args->help = true;
		return 0;
	default:
		return error_set(err, -EINVAL,
				 "an option that candela-slirp does not know: is it as "
				 "old as candela?");
	}
}

static int parse(int argc, char **argv, struct arguments *args, struct error *err)
{
	int option, r = 0;

	opterr = 0;
	while (r == 0 && (option = getopt_long(argc, argv, "", options, NULL)) != -1)
		r = set_option(option, args, err);
	if (r == 0 && optind < argc)
		r = error_set(err, -EINVAL, "an argument that is no option: %.60s", argv[optind]);
	return r < 0 ? r : net_plan_make(&args->plan, err, &args->config.plan);
}

/* A connection takes a descriptor. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int say(const char *text)
{
	if (send(SOCKET_FD, text, strlen(text), MSG_NOSIGNAL) >= 0)
		return EXIT_SUCCESS;
	fprintf(stderr, "candela-slirp: descriptor 3: %s (%s)\n", strerror(errno), text);
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct arguments args = {
		.config = {.fd = SOCKET_FD, .ipv4 = true, .ipv6 = true, .mtu = 1500}};
	struct slirp_stack *stack = NULL;
	struct error err;
	int r;

	/* Whoever has started us may be killed while nothing is read from the socket. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	r = parse(argc, argv, &args, &err);
	if (r == 0 && args.help) {
		fputs(usage, stdout);
		return EXIT_SUCCESS;
	}
	raise_limit();
	if (r == 0)
		r = slirp_stack_create(&args.config, &err, &stack);
	if (r < 0) {
		(void)say(err.text);
		return EXIT_FAILURE;
	}
	r = say("ready");
	if (r == EXIT_SUCCESS && slirp_stack_run(stack) < 0)
		r = EXIT_FAILURE;
	slirp_stack_destroy(stack);
	return r;
}
