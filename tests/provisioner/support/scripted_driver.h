/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A CSI driver on a real socket that does all that the provisioner asks for, with volumes that are
 * entries of a table, and fails by a script: with any status, slowly, with answers that break the
 * specification, or by dying at the worst moment.
 */
#ifndef ORDINAL_TESTS_SCRIPTED_DRIVER_H
#define ORDINAL_TESTS_SCRIPTED_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "error.h"

struct scripted_driver;

struct scripted_options {
	const char *socket_path;
	const char *name;     /* of the driver */
	const char *manifest; /* value of our key in its manifest; NULL: none */

	/* Comma-separated, as --caps of the program: controller, topology, offline, create-delete,
	 * attach, list, snapshots, list-snapshots, clone, expand, single-node-multi-writer, modify,
	 * unknown (of a later specification), node, node-expand. */
	const char *capabilities;
	const char *topology;   /* "key=value" of volumes that are wanted anywhere; NULL: none */
	const char *state_file; /* volumes outlive the driver there; NULL: they do not */
	int delay_ms;           /* before every answer */
	int page_entries;       /* of lists; 0: what is asked for */
	FILE *log;              /* a line for every call; or NULL */

	/* Told of each call before anything is done for it, and, APPLIED, before it is answered
	 * with success. No lock is held: it may kill whoever called. Where it returns false the
	 * call has no effect. May be NULL. */
	bool (*decide)(void *context, const char *method, bool applied);
	void *context;
};

/* What becomes of a call. All but the first two do what was asked for, and then answer so. */
enum scripted_answer {
	SCRIPTED_FAIL,       /* the rule's kind and text */
	SCRIPTED_HANG,       /* no answer until the caller gives up */
	SCRIPTED_LOSE,       /* the rule's kind and text, though it is done */
	SCRIPTED_CRASH,      /* the process ends */
	SCRIPTED_EMPTY,      /* a message without fields: no volume */
	SCRIPTED_NO_VOLUME,  /* in a list: entries without a volume, or a snapshot */
	SCRIPTED_NO_ID,      /* a volume without an id */
	SCRIPTED_RAW_ID,     /* bytes that no id has: the rule's text, of the rule's size */
	SCRIPTED_RAW_VALUE,  /* the same as a value of the volume's context */
	SCRIPTED_LONG_ID,    /* as many bytes as the rule's size */
	SCRIPTED_MANY,       /* as many pairs of context as the rule's size */
	SCRIPTED_CAPACITY,   /* the rule's size as the capacity */
	SCRIPTED_GARBAGE,    /* bytes that are no message */
	SCRIPTED_OVERSIZED,  /* more bytes than any client takes */
	SCRIPTED_ENDLESS,    /* a next page, always, of another token */
	SCRIPTED_REPEATING,  /* a next page, always, of the same token */
	SCRIPTED_NODE_TOO,   /* the node has to expand, too */
	SCRIPTED_NOT_READY,  /* Probe says so */
	SCRIPTED_SAYS_READY, /* Probe says so; else it says nothing */
};

struct scripted_rule {
	const char *method; /* "CreateVolume"; NULL: any method */
	enum scripted_answer answer;
	int after; /* calls of the method that come before it are not concerned */
	int count; /* how many then are; 0: all */
	enum error_kind kind;
	const char *text;
	int64_t size;
};

/* OPTIONS are borrowed. ERROR_FAILED_PRECONDITION when somebody listens there. */
int scripted_driver_start(const struct scripted_options *options,
	struct scripted_driver **ret_driver, struct error *err);

/* As a driver that is ended: calls under way get no answer. */
void scripted_driver_stop(struct scripted_driver *driver);

/* Go by RULES from now on, which must outlive their use: of those that match the first. */
void scripted_driver_set(
	struct scripted_driver *driver, const struct scripted_rule *rules, size_t count);

/* How often METHOD was called so far. */
int scripted_driver_count(struct scripted_driver *driver, const char *method);

/* The last request to the Controller service, as message_text() has it. Caller frees. */
char *scripted_driver_asked(struct scripted_driver *driver);

/* How many volumes there are, and the size of the one called NAME; -1 where there is none. */
size_t scripted_driver_volumes(struct scripted_driver *driver);
int64_t scripted_driver_volume(struct scripted_driver *driver, const char *name);

#endif
