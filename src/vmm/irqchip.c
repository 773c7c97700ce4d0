// SPDX-License-Identifier: MIT
/*
 * In-kernel interrupt controllers and the routing table. KVM_SET_GSI_ROUTING replaces the whole
 * table, so the current one is kept here under a lock; lines and MSIs are used without it.
 */
#include "vmm/irqchip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const uint32_t chip_ids[] = {KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE,
				    KVM_IRQCHIP_IOAPIC};

static void add_route(struct irqchip *chip, uint32_t gsi, uint32_t irqchip, uint32_t pin)
{
	chip->routes->entries[chip->routes->nr++] = (struct kvm_irq_routing_entry){
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = {.irqchip = irqchip, .pin = pin},
	};
}

/* The same wiring as KVM's default, as the table is only ever replaced as a whole. */
static void add_legacy_routes(struct irqchip *chip)
{
	for (uint32_t gsi = 0; gsi < IRQCHIP_PINS; gsi++) {
		if (gsi < 16)
			add_route(chip, gsi,
				  gsi < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE,
				  gsi % 8);
		/* ISA interrupt 0 is the PIT, on pin 2; the cascade (2) has no pin of its own. */
		if (gsi != 2)
			add_route(chip, gsi, KVM_IRQCHIP_IOAPIC, gsi == 0 ? 2 : gsi);
	}
}

static int commit_routes(struct irqchip *chip)
{
	return ioctl(chip->kvm->vm_fd, KVM_SET_GSI_ROUTING, chip->routes) < 0 ? -errno : 0;
}

int irqchip_init(struct irqchip *chip, struct kvm *kvm, struct error *err)
{
	size_t max = 2 * IRQCHIP_PINS + IRQCHIP_MSI_MAX;
	int r;

	*chip = (struct irqchip){.kvm = kvm};
	pthread_mutex_init(&chip->lock, NULL);
	chip->routes = calloc(1, sizeof(*chip->routes) + max * sizeof(chip->routes->entries[0]));
	if (!chip->routes)
		return error_set(err, -ENOMEM, "out of memory");
	add_legacy_routes(chip);
	r = commit_routes(chip);
	if (r < 0)
		return error_errno(err, r, "KVM_SET_GSI_ROUTING");
	for (size_t i = 0; i < ARRAY_SIZE(chip_ids); i++) {
		chip->initial[i].chip_id = chip_ids[i];
		if (ioctl(kvm->vm_fd, KVM_GET_IRQCHIP, &chip->initial[i]) < 0)
			return error_errno(err, -errno, "KVM_GET_IRQCHIP");
	}
	if (kvm->has_pit && ioctl(kvm->vm_fd, KVM_GET_PIT2, &chip->initial_pit) < 0)
		return error_errno(err, -errno, "KVM_GET_PIT2");
	return 0;
}

void irqchip_finish(struct irqchip *chip)
{
	if (!chip->kvm)
		return;
	free(chip->routes);
	pthread_mutex_destroy(&chip->lock);
	*chip = (struct irqchip){0};
}

int irqchip_reset(struct irqchip *chip)
{
	struct kvm *kvm = chip->kvm;

	for (size_t i = 0; i < ARRAY_SIZE(chip_ids); i++)
		if (ioctl(kvm->vm_fd, KVM_SET_IRQCHIP, &chip->initial[i]) < 0)
			return -errno;
	if (kvm->has_pit && ioctl(kvm->vm_fd, KVM_SET_PIT2, &chip->initial_pit) < 0)
		return -errno;
	return 0;
}

/* --- Legacy lines. ------------------------------------------------------------------------- */

static void line_set(struct irq_line *line, bool level)
{
	struct irqchip_line *l = container_of(line, struct irqchip_line, line);
	struct kvm_irq_level irq = {.irq = l->gsi, .level = level};

	(void)ioctl(l->chip->kvm->vm_fd, KVM_IRQ_LINE, &irq);
}

static void line_pulse(struct irq_line *line)
{
	struct irqchip_line *l = container_of(line, struct irqchip_line, line);
	uint64_t one = 1;

	/* A full eventfd holds 2^64 - 2 pulses already. */
	if (write(l->fd, &one, sizeof(one)) < 0)
		return;
}

static const struct irq_line_ops line_ops = {.set = line_set, .pulse = line_pulse};

static int bind_irqfd(struct irqchip *chip, unsigned int gsi, int *ret_fd)
{
	struct kvm_irqfd irqfd = {.gsi = gsi};
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return -errno;
	irqfd.fd = (uint32_t)fd;
	if (ioctl(chip->kvm->vm_fd, KVM_IRQFD, &irqfd) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

static void unbind_irqfd(struct irqchip *chip, unsigned int gsi, int fd)
{
	struct kvm_irqfd irqfd = {.fd = (uint32_t)fd, .gsi = gsi, .flags = KVM_IRQFD_FLAG_DEASSIGN};

	(void)ioctl(chip->kvm->vm_fd, KVM_IRQFD, &irqfd);
	close(fd);
}

int irqchip_line_init(struct irqchip_line *line, struct irqchip *chip, unsigned int gsi, bool edge,
		      struct error *err)
{
	int r;

	*line = (struct irqchip_line){
		.line = {.ops = &line_ops}, .chip = chip, .gsi = gsi, .fd = -1};
	if (!edge)
		return 0;
	r = bind_irqfd(chip, gsi, &line->fd);
	return r < 0 ? error_errno(err, r, "cannot bind interrupt %u", gsi) : 0;
}

void irqchip_line_finish(struct irqchip_line *line)
{
	if (line->chip && line->fd >= 0)
		unbind_irqfd(line->chip, line->gsi, line->fd);
	*line = (struct irqchip_line){.fd = -1};
}

/* --- Message-signalled interrupts. --------------------------------------------------------- */

void irqchip_msi_message(uint32_t apic_id, uint8_t vector, uint64_t *ret_address,
			 uint32_t *ret_data)
{
	/* KVM_CAP_X2APIC_API: bits 8-31 of the id stand in bits 8-31 of the address' upper half. */
	*ret_address = 0xfee00000ull | (uint64_t)(apic_id & 0xff) << 12 |
		       (uint64_t)(apic_id & 0xffffff00u) << 32;
	*ret_data = vector;
}

/* The route of a GSI above the pins. */
static struct kvm_irq_routing_entry *find_route(struct irqchip *chip, unsigned int gsi)
{
	for (uint32_t i = 0; i < chip->routes->nr; i++)
		if (chip->routes->entries[i].type != KVM_IRQ_ROUTING_IRQCHIP &&
		    chip->routes->entries[i].gsi == gsi)
			return &chip->routes->entries[i];
	return NULL;
}

static void set_msi(struct kvm_irq_routing_entry *entry, uint64_t address, uint32_t data)
{
	entry->u.msi.address_lo = (uint32_t)address;
	entry->u.msi.address_hi = (uint32_t)(address >> 32);
	entry->u.msi.data = data;
}

/* On the lowest GSI above the pins that no route uses; @route's own is filled in. */
static int add_msi_route(struct irqchip *chip, struct kvm_irq_routing_entry *route)
{
	unsigned int gsi = IRQCHIP_PINS;

	while (gsi < IRQCHIP_PINS + IRQCHIP_MSI_MAX && find_route(chip, gsi))
		gsi++;
	if (gsi == IRQCHIP_PINS + IRQCHIP_MSI_MAX)
		return -ENOSPC;
	route->gsi = gsi;
	chip->routes->entries[chip->routes->nr++] = *route;
	return commit_routes(chip);
}

static void drop_route(struct irqchip *chip, unsigned int gsi)
{
	struct kvm_irq_routing_entry *entry = find_route(chip, gsi);

	if (!entry)
		return;
	*entry = chip->routes->entries[--chip->routes->nr];
	(void)commit_routes(chip);
}

static int init_route(struct irqchip_msi *msi, struct irqchip *chip,
		      struct kvm_irq_routing_entry *route, struct error *err)
{
	int r;

	*msi = (struct irqchip_msi){.chip = chip, .fd = -1};
	pthread_mutex_lock(&chip->lock);
	r = add_msi_route(chip, route);
	pthread_mutex_unlock(&chip->lock);
	msi->gsi = route->gsi;
	if (r == 0)
		r = bind_irqfd(chip, msi->gsi, &msi->fd);
	if (r < 0) {
		irqchip_msi_finish(msi);
		return error_errno(err, r, "cannot route an interrupt");
	}
	return 0;
}

int irqchip_msi_init(struct irqchip_msi *msi, struct irqchip *chip, uint64_t address, uint32_t data,
		     struct error *err)
{
	struct kvm_irq_routing_entry route = {.type = KVM_IRQ_ROUTING_MSI};

	set_msi(&route, address, data);
	return init_route(msi, chip, &route, err);
}

int irqchip_sint_init(struct irqchip_msi *msi, struct irqchip *chip, uint32_t vp, uint32_t sint,
		      struct error *err)
{
	struct kvm_irq_routing_entry route = {.type = KVM_IRQ_ROUTING_HV_SINT,
					      .u.hv_sint = {.vcpu = vp, .sint = sint}};

	return init_route(msi, chip, &route, err);
}

int irqchip_msi_route(struct irqchip_msi *msi, uint64_t address, uint32_t data)
{
	struct irqchip *chip = msi->chip;
	struct kvm_irq_routing_entry *entry;
	int r = -ENOENT;

	pthread_mutex_lock(&chip->lock);
	entry = find_route(chip, msi->gsi);
	if (entry) {
		set_msi(entry, address, data);
		r = commit_routes(chip);
	}
	pthread_mutex_unlock(&chip->lock);
	return r;
}

void irqchip_msi_finish(struct irqchip_msi *msi)
{
	struct irqchip *chip = msi->chip;

	if (!chip)
		return;
	if (msi->fd >= 0)
		unbind_irqfd(chip, msi->gsi, msi->fd);
	pthread_mutex_lock(&chip->lock);
	drop_route(chip, msi->gsi);
	pthread_mutex_unlock(&chip->lock);
	*msi = (struct irqchip_msi){.fd = -1};
}

int irqchip_signal_msi(struct irqchip *chip, uint64_t address, uint32_t data)
{
	struct kvm_msi msi = {.address_lo = (uint32_t)address,
			      .address_hi = (uint32_t)(address >> 32),
			      .data = data};

	return ioctl(chip->kvm->vm_fd, KVM_SIGNAL_MSI, &msi) < 0 ? -errno : 0;
}
