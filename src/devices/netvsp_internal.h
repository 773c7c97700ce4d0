// SPDX-License-Identifier: MIT
/*
 * What the files of the network VSP share.
 *
 * A NIC has queues: queue i is channel i, the backend's queue i, and the loop of both. What is in a
 * queue is its loop's. The rest is the first queue's loop's, where the primary channel is and all
 * control messages come, except: what is constant after netvsp_create(); what is atomic; and what
 * the lock guards. Queues that have to know of a change are told by a round (netvsp_rounds.c).
 */
#pragma once

#include <pthread.h>

#include "devices/netvsp.h"
#include "devices/netvsp_headers.h"
#include "devices/nvsp_proto.h"
#include "devices/rndis_proto.h"
#include "vmm/log.h"

#define NETVSP_QUEUES NET_QUEUES_MAX

/* --- Out. ------------------------------------------------------------------------------------ */

/* RNDIS packets in one of NVSP: what the guest is told, and how many we bear. */
#define NETVSP_BATCH_TOLD 8u
#define NETVSP_BATCH_MAX  32u
/* On their way to the backend, of one queue. What is beyond waits in the guest's ring. */
#define NETVSP_FRAMES  512u
#define NETVSP_BATCHES 256u
/* Pieces of guest memory in a packet; and in one of its frames, the headers too. */
#define NETVSP_PACKET_IOV 160u
#define NETVSP_FRAME_IOV  72u
#define NETVSP_MDL_CHAIN  34u /* what the guest is told */
/* Of the send buffer. */
#define NETVSP_SEND_SECTION 6144u
/* Per-packet information of one frame. */
#define NETVSP_PPI_MAX 256u
/* Of a large segment. */
#define NETVSP_LSO_MAX 62780u
/* Room for the pages of a large segment, in as many ranges, and a message. */
#define NETVSP_PACKET_MAX 8192u

/* An NVSP packet of the guest's, until its frames are gone. */
struct netvsp_batch {
	uint64_t trans_id;
	unsigned int pending; /* frames */
	bool section;         /* uses the send buffer */
	/* Of its frames, so far. */
	uint32_t sent, lost;
	uint64_t bytes;
};

struct netvsp_frame {
	struct net_tx tx;
	struct netvsp_queue *queue;
	struct netvsp_batch *batch;
	uint32_t copied; /* bytes of it that the headers replace */
	uint8_t headers[NETVSP_HEADERS_MAX];
	struct iovec iov[NETVSP_FRAME_IOV];
};

struct netvsp_tx {
	/* Stacks, so that few of them are used over and over. */
	uint16_t free_frames[NETVSP_FRAMES], free_batches[NETVSP_BATCHES];
	unsigned int frame_count, batch_count; /* free ones */
	unsigned int in_sections;              /* batches that use the send buffer */
	struct netvsp_frame *frames;
	struct netvsp_batch batches[NETVSP_BATCHES];
	struct iovec iov[NETVSP_PACKET_IOV]; /* of the packet in hand */
};

/* --- In. ------------------------------------------------------------------------------------- */

/*
 * Each section of the receive buffer begins with the RNDIS header and the information of its
 * packet; the frame begins here, or after room for a VLAN tag that was taken out of it.
 */
#define NETVSP_RX_DATA 128u
/* Ranges in a message to the guest; a frame in several sections is in one message. */
#define NETVSP_RX_RANGES    256u
#define NETVSP_SECTIONS_MAX 32768u
/* Sections of one frame, at most: guests with smaller ones do without large frames. */
#define NETVSP_RX_PARTS 64u
/* Frames in a pass of the loop. */
#define NETVSP_RX_BUDGET 256u

enum netvsp_section {
	NETVSP_SECTION_FREE,
	NETVSP_SECTION_FIRST, /* with the guest; its number is the transaction's */
	NETVSP_SECTION_MORE,  /* of the same transaction */
};

/* The receive buffer. Constant but for the states, which are those of the section's owner. */
struct netvsp_sections {
	struct gpadl_view view;
	uint32_t size; /* of each */
	unsigned int count;
	uint16_t *next; /* section of the same transaction; itself: the last */
	uint8_t *state; /* enum netvsp_section */
	uint8_t *owner; /* the queue's number */
};

struct netvsp_rx {
	uint16_t *free; /* as many as the queue has */
	unsigned int free_count;
	unsigned int owned;
	bool starved; /* frames wait for sections */
	bool full;    /* the message waits for the ring */

	/* The message in hand, of sections that are not free any more. */
	unsigned int range_count;
	uint16_t first, last;
	struct {
		struct vmtransfer_page_list list;
		struct vmtransfer_page_range ranges[NETVSP_RX_RANGES];
	} message;
	uint32_t frames;
	uint64_t bytes;
};

/* --- Queues. --------------------------------------------------------------------------------- */

struct netvsp_queue {
	struct netvsp *netvsp;
	unsigned int index;
	struct loop *loop;

	struct channel *channel; /* NULL: not open */
	bool closing;
	bool paused;
	struct net_queue *net;
	struct netvsp_tx *tx;
	bool tx_starved; /* ready() has said no */
	struct netvsp_rx rx;
	struct loop_deferred rx_work;
	struct loop_task rx_again;

	/* Buffers; NULL: none, or not any more. */
	const struct netvsp_sections *recv;
	const struct gpadl_view *send;
};

/* A task for each queue's loop, and one when all are done. */
struct netvsp_round {
	struct netvsp *netvsp;
	/* On the queue's loop; netvsp_round_done() follows, from inside or later. */
	void (*run)(struct netvsp_round *round, struct netvsp_queue *queue);
	void (*done)(struct netvsp_round *round);
	struct loop *loop; /* where done() comes */
	_Atomic unsigned int left;
	bool busy;
	struct loop_task task;
	struct netvsp_round_part {
		struct netvsp_round *round;
		struct netvsp_queue *queue;
		struct loop_task task;
		bool waiting; /* of the queue: something has to end first */
	} parts[NETVSP_QUEUES];
};

/* --- Control. -------------------------------------------------------------------------------- */

enum netvsp_buffer_state {
	NETVSP_BUFFER_NONE,
	NETVSP_BUFFER_ASKED,   /* for the guest's pages */
	NETVSP_BUFFER_HELD,    /* and used */
	NETVSP_BUFFER_REVOKED, /* the guest wants it back: queues may use it still */
	NETVSP_BUFFER_RELEASING,
	NETVSP_BUFFER_GONE, /* there is no other one until the channel is opened anew */
};

struct netvsp_buffer {
	struct netvsp *netvsp;
	struct channel_hold hold;
	enum netvsp_buffer_state state;
	enum netvsp_buffer_state then; /* after RELEASING */
	uint16_t id;
	/* The message to be answered. */
	bool wants_completion;
	uint64_t trans_id;
	struct netvsp_round round;
};

/* Answers and indications of RNDIS that wait for a section or for the ring. */
#define NETVSP_REPLIES     8u
#define NETVSP_REPLY_MAX   512u
#define NETVSP_CONTROL_MAX 2048u /* bytes of a message of the guest's */

struct netvsp_reply {
	uint32_t len;
	uint8_t bytes[NETVSP_REPLY_MAX];
};

#define NETVSP_MULTICAST_MAX 32u

/* What the guest has set; bits, both ways apart. */
enum {
	NETVSP_RX_TCP4 = 1 << 0, /* it wants to be told of checksums */
	NETVSP_RX_UDP4 = 1 << 1,
	NETVSP_RX_TCP6 = 1 << 2,
	NETVSP_RX_UDP6 = 1 << 3,
	NETVSP_RX_IP4 = 1 << 4,
	NETVSP_RSC4 = 1 << 5,
	NETVSP_RSC6 = 1 << 6,
	NETVSP_TX_TCP4 = 1 << 7,
	NETVSP_TX_UDP4 = 1 << 8,
	NETVSP_TX_TCP6 = 1 << 9,
	NETVSP_TX_UDP6 = 1 << 10,
	NETVSP_TX_IP4 = 1 << 11,
	NETVSP_LSO4 = 1 << 12,
	NETVSP_LSO6 = 1 << 13,
};

struct netvsp {
	/* Constant. */
	struct vmbus_device *device;
	struct vmbus *bus;
	struct net_backend *backend;
	uint8_t permanent_mac[6];
	uint32_t mtu; /* at most */
	unsigned int queue_count;
	struct netvsp_queue queues[NETVSP_QUEUES];

	/* The first queue's loop. */
	bool initialized; /* NVSP: a version is agreed on */
	bool has_ndis_config, has_ndis_version;
	uint32_t ndis_major, ndis_minor;
	uint32_t frame_max; /* that the guest takes, with the Ethernet header, without a VLAN tag */
	uint32_t capabilities;
	unsigned int sub_channels; /* granted */
	bool table_sent;
	bool operational; /* RNDIS: initialized */
	struct netvsp_buffer recv, send;
	struct netvsp_sections sections;
	struct netvsp_reply replies[NETVSP_REPLIES];
	unsigned int reply_first, reply_count;
	bool link_told;    /* what the guest knows of the link */
	bool link_flapped; /* it went, and came back, since */
	bool tell_link, tell_offloads;
	unsigned int multicast_count;
	bool closing;

	/* Any loop. */
	_Atomic uint32_t version;                         /* of NVSP */
	_Atomic bool running;                             /* @operational, for the queues */
	_Atomic bool strip_vlan;                          /* the guest knows of VLANs */
	_Atomic uint32_t filter;                          /* NDIS_PACKET_TYPE_* */
	_Atomic uint32_t offloads;                        /* NETVSP_* above */
	_Atomic uint64_t mac;                             /* the current one */
	_Atomic uint64_t multicast[NETVSP_MULTICAST_MAX]; /* 0: none */
	_Atomic bool link_wanted, link;
	void (*link_changed)(void *ctx, bool up); /* NULL: nobody wants to know */
	void *link_ctx;
	_Atomic bool pausing;
	struct loop_task link_task, subs_task;

	/* Who is open. */
	pthread_mutex_t lock;
	bool accepting; /* sub-channels */
	unsigned int open_count;

	/* The machine's loop. */
	struct netvsp_round pause, resume, fence;
	bool resume_again; /* once the round under way is over */
	void (*paused)(void *ctx);
	void *paused_ctx;
	void (*removed)(void *ctx);
	void *removed_ctx;

	struct log_limit log;
	struct netvsp_counters counters;
};

/* Addresses, as numbers to compare. */
static inline uint64_t netvsp_address(const uint8_t *mac)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < 6; i++)
		v = v << 8 | mac[i];
	return v;
}

static inline struct netvsp_queue *netvsp_primary(struct netvsp *netvsp)
{
	return &netvsp->queues[0];
}

static inline uint32_t netvsp_version(const struct netvsp *netvsp)
{
	return atomic_load_explicit(&netvsp->version, memory_order_relaxed);
}

/* How long messages of the version are. */
static inline uint32_t netvsp_size(const struct netvsp *netvsp)
{
	return netvsp_version(netvsp) >= NVSP_PROTOCOL_VERSION_61 ? NVSP_SIZE_61 : NVSP_SIZE;
}

/* --- netvsp_rounds.c. ------------------------------------------------------------------------ */

void netvsp_round_init(struct netvsp_round *round, struct netvsp *netvsp, struct loop *loop);
/* No round of it is under way. */
void netvsp_round_start(struct netvsp_round *round,
			void (*run)(struct netvsp_round *round, struct netvsp_queue *queue),
			void (*done)(struct netvsp_round *round));
void netvsp_round_done(struct netvsp_round *round);
/* Rounds that wait for frames of the queue may not have to any more. */
void netvsp_rounds_settle(struct netvsp_queue *queue);

/* --- netvsp_channel.c. ----------------------------------------------------------------------- */

extern const struct channel_ops netvsp_channel_ops;

/* The primary channel closes: has everything ended that has to? */
void netvsp_proceed_closing(struct netvsp *netvsp);

/* --- netvsp_control.c. ----------------------------------------------------------------------- */

/* A message of NVSP on the primary channel that is no RNDIS packet. -EINVAL: a violation. */
int netvsp_control(struct netvsp *netvsp, const struct ring_packet *packet,
		   const struct nvsp_message *message, uint32_t len) must_check;
/* The guest has gone, or begins anew. */
void netvsp_forget(struct netvsp *netvsp);
/* Sends the table of channels once all of them are open. */
void netvsp_send_table(struct netvsp *netvsp);
/* If the packet asks for it. @len 0: an empty one. */
void netvsp_complete(struct netvsp_queue *queue, const struct ring_packet *packet,
		     const struct nvsp_message *message);

/* --- netvsp_buffers.c. ----------------------------------------------------------------------- */

void netvsp_buffers_init(struct netvsp *netvsp);
int netvsp_take_buffer(struct netvsp_buffer *buffer, const struct ring_packet *packet,
		       const struct nvsp_1_message_send_buffer *message) must_check;
int netvsp_revoke_buffer(struct netvsp_buffer *buffer, const struct ring_packet *packet,
			 uint16_t id) must_check;
/* At the end: lets go of it; true when that has been done. */
bool netvsp_drop_buffer(struct netvsp_buffer *buffer);
/* Gives each of the first @count queues its share of the free sections. */
int netvsp_share_sections(struct netvsp *netvsp, unsigned int count) must_check;

/* --- netvsp_tx.c. ---------------------------------------------------------------------------- */

int netvsp_tx_create(struct netvsp_queue *queue) must_check;
void netvsp_tx_destroy(struct netvsp_queue *queue);
bool netvsp_tx_ready(const struct netvsp_queue *queue);
bool netvsp_tx_idle(const struct netvsp_queue *queue);
/* SEND_RNDIS_PKT, data or control. -EINVAL: a violation. */
int netvsp_tx_packet(struct netvsp_queue *queue, const struct ring_packet *packet,
		     const struct nvsp_1_message_send_rndis_packet *message) must_check;

/* --- netvsp_tx_frame.c. ---------------------------------------------------------------------- */

/* A walk through memory in pieces. */
struct netvsp_cursor {
	const struct iovec *iov;
	unsigned int count;
	size_t skip;   /* in the first of them */
	uint64_t left; /* bytes */
};

bool netvsp_cursor_read(struct netvsp_cursor *cursor, void *buf, uint64_t len) must_check;
/* @at bytes on; false: there are not as many. */
bool netvsp_cursor_skip(struct netvsp_cursor *cursor, uint64_t at) must_check;

/*
 * The next RNDIS packet: a frame, ready to be sent. -EINVAL: it is malformed; -E2BIG: in too many
 * pieces.
 */
int netvsp_frame_parse(struct netvsp_frame *frame, struct netvsp_cursor *cursor) must_check;

/* --- netvsp_rx.c. ---------------------------------------------------------------------------- */

extern const struct net_queue_ops netvsp_net_ops;

void netvsp_rx_init(struct netvsp_queue *queue);
/* Frames may be there, and the means to take them. */
void netvsp_rx_kick(struct netvsp_queue *queue);
/* The ring has room. */
void netvsp_rx_room(struct netvsp_queue *queue);
/* The guest gives a transaction's sections back. False: it has none such. */
bool netvsp_rx_complete(struct netvsp_queue *queue, uint64_t trans_id) must_check;
/* Nothing of the buffer is used any more by this queue. */
void netvsp_rx_forget(struct netvsp_queue *queue);
/* Sections that one frame may need. */
unsigned int netvsp_rx_wanted(const struct netvsp_queue *queue);

/* --- netvsp_rx_frame.c. ---------------------------------------------------------------------- */

/* A frame of @len bytes in the queue's first free sections, which it may take. */
void netvsp_rx_frame(struct netvsp_queue *queue, const struct virtio_net_hdr_v1 *header,
		     const struct iovec *iov, unsigned int iov_count, uint32_t len);

/* --- netvsp_rndis.c. ------------------------------------------------------------------------- */

/* A control message, in private memory. An enum nvsp_status; netvsp_rndis_send() has to follow. */
uint32_t netvsp_rndis(struct netvsp *netvsp, const uint8_t *message, uint32_t len);
/* Sends what there is to tell the guest, as far as there is room. */
void netvsp_rndis_send(struct netvsp *netvsp);
/* Answers with the message's own body behind the header. */
void netvsp_rndis_reply(struct netvsp *netvsp, uint32_t msg_type, const void *body, uint32_t len);
void netvsp_rndis_link(struct netvsp *netvsp);

/* --- netvsp_oid.c, netvsp_oid_set.c. --------------------------------------------------------- */

#define NETVSP_INFO_MAX 400u

/* A status of RNDIS. What is found goes to @info, *ret_len bytes. */
uint32_t netvsp_oid_query(struct netvsp *netvsp, uint32_t oid, uint8_t *info, uint32_t *ret_len);
uint32_t netvsp_oid_set(struct netvsp *netvsp, uint32_t oid, const uint8_t *info, uint32_t len);

/* --- netvsp_offload.c. ----------------------------------------------------------------------- */

/* Can there be large frames for this guest, sections permitting? */
bool netvsp_offloads_large(const struct netvsp *netvsp);
/* What can be set: NETVSP_RX_TCP4, ... */
uint32_t netvsp_offloads_possible(const struct netvsp *netvsp);
/* As NDIS describes @offloads; as long as the guest's version of it has it. */
uint32_t netvsp_offloads_describe(const struct netvsp *netvsp, uint32_t offloads,
				  struct ndis_offload *ret);
void netvsp_offloads_apply(struct netvsp *netvsp, uint32_t offloads);
uint32_t netvsp_offloads_set(struct netvsp *netvsp, const uint8_t *info, uint32_t len);
