/* SPDX-License-Identifier: Apache-2.0 */
#include "status_page.h"

#include <sha2.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

#include "status_json.h"

#define JSON_TYPE     "application/json"
#define HTML_TYPE     "text/html; charset=utf-8"
#define JSON_SIZE_MAX ((size_t)16 << 20)
#define JSON_GOOD_MS  1000
#define JSON_ALIVE    2 /* documents at a time */
#define POLICY_MAX    512
#define HASH_MAX      64

/* status_page.html, as the build embeds it. */
extern const char page_start[] __asm__("_binary_provisioner_status_page_html_start");
extern const char page_end[] __asm__("_binary_provisioner_status_page_html_end");

static size_t page_size(void)
{
	return (uintptr_t)page_end - (uintptr_t)page_start;
}

/* The JSON of one moment. Touched by the endpoint's thread alone. */
struct document {
	struct status_page *page;
	char *text;
	size_t size;
	int64_t made_ms;
	int refs; /* the page's, while it is the newest, and those of who is sent it */
};

struct status_page {
	struct manager *manager;
	struct status_notes *notes;
	const char *instance;
	struct http_route routes[2];
	struct document *newest;
	int alive;
	char policy[POLICY_MAX];
	const char *headers[5];
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void document_unref(void *context)
{
	struct document *document = context;

	if (--document->refs > 0)
		return;
	document->page->alive--;
	free(document->text);
	free(document);
}

static struct document *document_make(struct status_page *page)
{
	struct document *document = calloc(1, sizeof(*document));
	struct status_facts facts = {
		.controller = manager_controller(page->manager),
		.notes = page->notes,
		.instance = page->instance,
		.synced = manager_check_synced(page->manager, NULL) == 0,
		.working = manager_is_working(page->manager),
		.now = time(NULL),
		.size_max = JSON_SIZE_MAX,
	};
	struct status_sets sets;
	FILE *out;

	if (!document)
		abort();
	*document = (struct document){.page = page, .made_ms = now_ms(), .refs = 1};
	page->alive++;
	out = open_memstream(&document->text, &document->size);
	if (!out)
		abort();
	status_sets_collect(&sets, facts.controller, page->notes);
	status_json_write(&sets, &facts, out);
	status_sets_done(&sets);
	if (fclose(out) != 0)
		abort();
	return document;
}

/* The newest one; a new one only where that is old, and nobody is still sent one before it. */
static struct document *document_get(struct status_page *page)
{
	struct document *old = page->newest;

	if (!old || (now_ms() - old->made_ms >= JSON_GOOD_MS && page->alive < JSON_ALIVE)) {
		page->newest = document_make(page);
		if (old)
			document_unref(old);
	}
	page->newest->refs++;
	return page->newest;
}

static void serve_json(void *context, const struct http_request *request, struct http_reply *reply)
{
	struct document *document = document_get(context);

	(void)request;
	reply->content_type = JSON_TYPE;
	reply->shared = document->text;
	reply->shared_size = document->size;
	reply->release = document_unref;
	reply->release_context = document;
}

static void serve_page(void *context, const struct http_request *request, struct http_reply *reply)
{
	const struct status_page *page = context;

	(void)request;
	reply->content_type = HTML_TYPE;
	reply->headers = page->headers;
	fwrite(page_start, 1, page_size(), reply->body);
}

/* RFC 4648's base64. */
static void encode_base64(const uint8_t *bytes, size_t size, char *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < size; i += 3) {
		uint32_t word = (uint32_t)bytes[i] << 16;

		word |= i + 1 < size ? (uint32_t)bytes[i + 1] << 8 : 0;
		word |= i + 2 < size ? bytes[i + 2] : 0;
		*out++ = digits[word >> 18];
		*out++ = digits[word >> 12 & 63];
		*out++ = i + 1 < size ? digits[word >> 6 & 63] : '=';
		*out++ = i + 2 < size ? digits[word & 63] : '=';
	}
	*out = '\0';
}

/* What a Content-Security-Policy calls the text of the page's only element TAG. */
static void hash_element(const char *tag, char out[static HASH_MAX])
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	SHA2_CTX context;
	char opening[16], closing[16];
	const char *start, *end;

	snprintf(opening, sizeof(opening), "<%s>", tag);
	snprintf(closing, sizeof(closing), "</%s>", tag);
	start = memmem(page_start, page_size(), opening, strlen(opening));
	if (!start)
		abort();
	start += strlen(opening);
	end = memmem(start, (size_t)(page_start + page_size() - start), closing, strlen(closing));
	if (!end)
		abort();
	SHA256Init(&context);
	SHA256Update(&context, (const uint8_t *)start, (size_t)(end - start));
	SHA256Final(digest, &context);
	encode_base64(digest, sizeof(digest), out);
}

/* Only the page's own script and style, and only what it fetches from here: whatever an object's
 * name may hold, nothing of it can run, or tell anybody else. */
static void make_policy(struct status_page *page)
{
	char script[HASH_MAX], style[HASH_MAX];

	hash_element("script", script);
	hash_element("style", style);
	snprintf(page->policy, sizeof(page->policy),
		"default-src 'none'; script-src 'sha256-%s'; style-src 'sha256-%s'; "
		"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
		"require-trusted-types-for 'script'",
		script, style);
	page->headers[0] = "Content-Security-Policy";
	page->headers[1] = page->policy;
	page->headers[2] = "Referrer-Policy";
	page->headers[3] = "no-referrer";
}

struct status_page *status_page_new(
	struct manager *manager, struct status_notes *notes, const char *instance)
{
	struct status_page *page = calloc(1, sizeof(*page));

	if (!page)
		abort();
	page->manager = manager;
	page->notes = notes;
	page->instance = instance;
	page->routes[0] = (struct http_route){"/status", serve_page, .context = page};
	page->routes[1] = (struct http_route){"/status.json", serve_json, .context = page};
	make_policy(page);
	return page;
}

void status_page_free(struct status_page *page)
{
	if (page->newest)
		document_unref(page->newest);
	free(page);
}

const struct http_route *status_page_routes(const struct status_page *page, size_t *ret_count)
{
	*ret_count = ARRAY_SIZE(page->routes);
	return page->routes;
}
