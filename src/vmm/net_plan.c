// SPDX-License-Identifier: MIT
/* Addresses of NICs and of user-mode networks. No state; any thread. */
#include "vmm/net_plan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* --- Forwarded ports. ----------------------------------------------------------------------- */

static bool take_port(const char **p, char end, uint16_t *ret)
{
	unsigned int v = 0, digits = 0;

	for (; **p >= '0' && **p <= '9' && digits < 6; (*p)++, digits++)
		v = v * 10 + (unsigned int)(**p - '0');
	if (digits == 0 || v == 0 || v > 65535 || **p != end)
		return false;
	if (end)
		(*p)++;
	*ret = (uint16_t)v;
	return true;
}

/* "ADDRESS:" or "[ADDRESS]:" at *@p, if there is one. */
static bool take_address(const char **p, struct net_forward *f)
{
	const bool brackets = **p == '[';
	const char *from = *p + brackets, *end = strpbrk(from, brackets ? "]" : ":");
	char text[INET6_ADDRSTRLEN];
	size_t len = end ? (size_t)(end - from) : sizeof(text);

	if (len >= sizeof(text))
		return false;
	memcpy(text, from, len);
	text[len] = '\0';
	if (brackets && end[1] != ':')
		return false;
	*p = end + 1 + brackets;
	f->ipv6 = brackets;
	return brackets ? inet_pton(AF_INET6, text, &f->host6) == 1
			: inet_pton(AF_INET, text, &f->host) == 1;
}

static bool take_forward(const char *p, struct net_forward *f)
{
	const char *colon;

	if (strncmp(p, "tcp:", 4) != 0 && strncmp(p, "udp:", 4) != 0)
		return false;
	f->udp = p[0] == 'u';
	f->host.s_addr = htonl(INADDR_LOOPBACK);
	p += 4;
	colon = strchr(p, ':');
	/* More than one colon, or a bracket: there is an address. */
	if (*p == '[' || (colon && strchr(colon + 1, ':')))
		if (!take_address(&p, f))
			return false;
	return take_port(&p, ':', &f->host_port) && take_port(&p, '\0', &f->guest_port);
}

int net_forward_parse(const char *text, struct error *err, struct net_forward *ret)
{
	struct net_forward f = {0};

	if (!take_forward(text, &f))
		return error_set(err, -EINVAL,
				 "expected tcp:[ADDRESS:]PORT:GUESTPORT, or udp:..., got \"%.60s\"",
				 text);
	*ret = f;
	return 0;
}

/* --- IPv4. ---------------------------------------------------------------------------------- */

/* The number behind a slash; @text is cut there. */
static bool take_prefix(char *text, unsigned int max, unsigned int *ret)
{
	char *slash = strchr(text, '/');
	unsigned int v = 0;

	if (!slash || !slash[1] || strlen(slash) > 4)
		return false;
	*slash = '\0';
	for (const char *p = slash + 1; *p; p++) {
		if (*p < '0' || *p > '9')
			return false;
		v = v * 10 + (unsigned int)(*p - '0');
	}
	*ret = v;
	return v <= max;
}

static int plan_network(const char *text, struct error *err, struct net_plan *plan)
{
	unsigned int prefix = 24;
	char copy[64];

	strncpy(copy, text, sizeof(copy) - 1);
	copy[sizeof(copy) - 1] = '\0';
	/* Smaller ones have no room for the addresses that there are. */
	if (!take_prefix(copy, 27, &prefix) || prefix < 8 ||
	    inet_pton(AF_INET, copy, &plan->network) != 1)
		return error_set(err, -EINVAL,
				 "network: expected ADDRESS/PREFIX such as 10.0.2.0/24, the prefix "
				 "from 8 to 27, got \"%.60s\"",
				 text);
	plan->mask.s_addr = htonl(~0u << (32 - prefix));
	if (plan->network.s_addr & ~plan->mask.s_addr)
		return error_set(err, -EINVAL,
				 "network: expected no bits behind the prefix, got \"%.60s\"",
				 text);
	return 0;
}

static int plan_address(const struct net_plan *plan, const char *key, const char *text,
			uint32_t preset, struct error *err, struct in_addr *ret)
{
	const uint32_t hosts = ~ntohl(plan->mask.s_addr);
	uint32_t number;

	if (!text) {
		ret->s_addr = plan->network.s_addr | htonl(preset);
		return 0;
	}
	if (inet_pton(AF_INET, text, ret) != 1 ||
	    (ret->s_addr & plan->mask.s_addr) != plan->network.s_addr)
		return error_set(err, -EINVAL,
				 "%s: expected an IPv4 address in the network, got \"%.60s\"", key,
				 text);
	number = ntohl(ret->s_addr) & hosts;
	if (number == 0 || number == hosts)
		return error_set(err, -EINVAL,
				 "%s: expected an address that a host can have, got \"%.60s\"", key,
				 text);
	return 0;
}

static int plan_ipv4(const struct net_plan_config *config, struct error *err, struct net_plan *plan)
{
	int r = plan_network(config->network ? config->network : "10.0.2.0/24", err, plan);

	if (r == 0)
		r = plan_address(plan, "host", config->host, 2, err, &plan->host);
	if (r == 0)
		r = plan_address(plan, "dns", config->dns, 3, err, &plan->dns);
	if (r == 0)
		r = plan_address(plan, "dhcp-start", config->dhcp, 15, err, &plan->dhcp);
	if (r == 0 && plan->host.s_addr == plan->dns.s_addr)
		r = error_set(err, -EINVAL, "dns: expected another address than the host's");
	if (r == 0 &&
	    (plan->dhcp.s_addr == plan->host.s_addr || plan->dhcp.s_addr == plan->dns.s_addr))
		r = error_set(err, -EINVAL,
			      "dhcp-start: expected another address than the host's and the DNS "
			      "server's");
	return r;
}

/* --- IPv6. ---------------------------------------------------------------------------------- */

static bool same_prefix(const struct in6_addr *a, const struct in6_addr *b, unsigned int prefix)
{
	const unsigned int bytes = prefix / 8, bits = prefix % 8;

	return memcmp(a, b, bytes) == 0 &&
	       (bits == 0 || ((a->s6_addr[bytes] ^ b->s6_addr[bytes]) >> (8 - bits)) == 0);
}

static int plan_network6(const char *text, struct error *err, struct net_plan *plan)
{
	static const struct in6_addr none;
	unsigned int prefix = 64;
	struct in6_addr rest;
	char copy[80];

	strncpy(copy, text, sizeof(copy) - 1);
	copy[sizeof(copy) - 1] = '\0';
	/* Guests make addresses of 64 bits of their own (RFC 4862). */
	if (!take_prefix(copy, 64, &prefix) || prefix < 8 ||
	    inet_pton(AF_INET6, copy, &plan->network6) != 1)
		return error_set(err, -EINVAL,
				 "network6: expected ADDRESS/PREFIX such as fec0::/64, the prefix "
				 "from 8 to 64, got \"%.60s\"",
				 text);
	rest = plan->network6;
	memset(rest.s6_addr, 0, prefix / 8);
	if (prefix % 8)
		rest.s6_addr[prefix / 8] &= (uint8_t)(0xff >> prefix % 8);
	if (memcmp(&rest, &none, sizeof(none)) != 0)
		return error_set(err, -EINVAL,
				 "network6: expected no bits behind the prefix, got \"%.60s\"",
				 text);
	plan->prefix6 = prefix;
	return 0;
}

static int plan_address6(const struct net_plan *plan, const char *key, const char *text,
			 uint8_t preset, struct error *err, struct in6_addr *ret)
{
	if (!text) {
		*ret = plan->network6;
		ret->s6_addr[15] = preset;
		return 0;
	}
	if (inet_pton(AF_INET6, text, ret) != 1 ||
	    !same_prefix(ret, &plan->network6, plan->prefix6) ||
	    memcmp(ret, &plan->network6, sizeof(*ret)) == 0)
		return error_set(err, -EINVAL,
				 "%s: expected the IPv6 address of a host in the network, got "
				 "\"%.60s\"",
				 key, text);
	return 0;
}

static int plan_ipv6(const struct net_plan_config *config, struct error *err, struct net_plan *plan)
{
	int r = plan_network6(config->network6 ? config->network6 : "fec0::/64", err, plan);

	if (r == 0)
		r = plan_address6(plan, "host6", config->host6, 2, err, &plan->host6);
	if (r == 0)
		r = plan_address6(plan, "dns6", config->dns6, 3, err, &plan->dns6);
	if (r == 0 && memcmp(&plan->host6, &plan->dns6, sizeof(plan->dns6)) == 0)
		r = error_set(err, -EINVAL, "dns6: expected another address than the host's");
	return r;
}

int net_plan_make(const struct net_plan_config *config, struct error *err, struct net_plan *ret)
{
	struct net_plan plan = {0};
	int r = plan_ipv4(config, err, &plan);

	if (r == 0)
		r = plan_ipv6(config, err, &plan);
	if (r == 0)
		*ret = plan;
	return r;
}

/* --- Ethernet. ------------------------------------------------------------------------------ */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int net_mac_parse(const char *text, uint8_t mac[6])
{
	static const uint8_t none[6];
	uint8_t bytes[6];

	if (strlen(text) != 17)
		return -EINVAL;
	for (size_t i = 0; i < 6; i++) {
		const int high = hex_digit(text[i * 3]), low = hex_digit(text[i * 3 + 1]);
		const char joint = text[i * 3 + 2];

		if (high < 0 || low < 0 || (i < 5 && joint != ':' && joint != '-'))
			return -EINVAL;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	if ((bytes[0] & 1) || memcmp(bytes, none, 6) == 0)
		return -EINVAL;
	memcpy(mac, bytes, 6);
	return 0;
}

/* FNV-1a, and the last step of MurmurHash3, which makes every bit count. Both public domain. */
static uint64_t hash(const char *text, unsigned int index)
{
	uint64_t h = 0xcbf29ce484222325;

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 0x100000001b3;
	h = (h ^ (index + 0x100)) * 0x100000001b3;
	h = (h ^ h >> 33) * 0xff51afd7ed558ccd;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53;
	return h ^ h >> 33;
}

void net_mac_default(const char *vm, unsigned int index, uint8_t mac[6])
{
	const uint64_t h = hash(vm, index);

	mac[0] = 0xca;
	for (unsigned int i = 1; i < 6; i++)
		mac[i] = (uint8_t)(h >> 8 * i);
}
