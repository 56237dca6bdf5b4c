/* SPDX-License-Identifier: Apache-2.0 */
#include "api_http.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>

void api_http_done(struct api_http *http)
{
	free(http->buffer);
}

static void grow(struct api_http *http)
{
	if (http->size - http->used > 4096)
		return;
	http->size = http->size ? http->size * 2 : 16384;
	http->buffer = realloc(http->buffer, http->size);
	if (!http->buffer)
		abort();
}

/* Read more; whether something came. */
static bool read_more(struct api_http *http)
{
	ssize_t got;

	if (http->used > API_HTTP_MAX)
		return false;
	grow(http);
	got = recv(http->fd, http->buffer + http->used, http->size - http->used - 1, 0);
	if (got <= 0)
		return false;
	http->used += (size_t)got;
	http->buffer[http->used] = '\0';
	return true;
}

/* Forget the request before this one. */
static void drop_taken(struct api_http *http)
{
	if (!http->buffer)
		return;
	memmove(http->buffer, http->buffer + http->taken, http->used - http->taken);
	http->used -= http->taken;
	http->buffer[http->used] = '\0';
	http->taken = 0;
}

static void take_header(struct api_http *http, char *line, size_t *ret_length)
{
	static const char length[] = "Content-Length:", token[] = "Authorization:",
			  type[] = "Content-Type:", ordinal[] = "X-Ordinal-Token:";

	if (!strncasecmp(line, length, strlen(length)))
		*ret_length = strtoul(line + strlen(length), NULL, 10);
	else if (!strncasecmp(line, token, strlen(token)))
		snprintf(http->authorization, sizeof(http->authorization), "%s",
			line + strlen(token) + 1);
	else if (!strncasecmp(line, type, strlen(type)))
		snprintf(http->content_type, sizeof(http->content_type), "%s",
			line + strlen(type) + 1);
	else if (!strncasecmp(line, ordinal, strlen(ordinal)))
		snprintf(http->token, sizeof(http->token), "%s", line + strlen(ordinal) + 1);
}

/* Cut the head, which ends at END, into its parts; the length of the body. */
static bool take_head(struct api_http *http, size_t *ret_length)
{
	char *saved, *words;
	char *line = strtok_r(http->buffer, "\r\n", &saved), *query;

	*ret_length = 0;
	http->authorization[0] = http->content_type[0] = http->token[0] = '\0';
	http->method = line ? strtok_r(line, " ", &words) : NULL;
	http->path = http->method ? strtok_r(NULL, " ", &words) : NULL;
	if (!http->path)
		return false;
	query = strchr(http->path, '?');
	if (query)
		*query++ = '\0';
	http->query = query ? query : http->path + strlen(http->path);
	while ((line = strtok_r(NULL, "\r\n", &saved)))
		take_header(http, line, ret_length);
	return *ret_length <= API_HTTP_MAX;
}

/* Pointers into the buffer move with it: it must be large enough before they are taken. */
static bool reserve(struct api_http *http, const char *head_end)
{
	size_t head = (size_t)(head_end - http->buffer) + 4, length = 0, wanted;
	char *header = strcasestr(http->buffer, "\r\nContent-Length:");

	if (header && header < head_end)
		length = strtoul(header + strlen("\r\nContent-Length:"), NULL, 10);
	if (length > API_HTTP_MAX)
		return false;
	wanted = head + length;
	if (http->size < wanted + 8192) {
		http->size = wanted + 8192;
		http->buffer = realloc(http->buffer, http->size);
		if (!http->buffer)
			abort();
	}
	while (http->used < wanted)
		if (!read_more(http))
			return false;
	http->taken = wanted;
	return true;
}

bool api_http_read(struct api_http *http)
{
	char *end = NULL;
	size_t head, length;

	drop_taken(http);
	while (!http->buffer || !(end = strstr(http->buffer, "\r\n\r\n")))
		if (!read_more(http))
			return false;
	head = (size_t)(end - http->buffer) + 4;
	if (!reserve(http, end))
		return false;
	http->buffer[head - 2] = '\0';
	if (!take_head(http, &length))
		return false;
	/* The byte behind the body may be the next request's. */
	http->body = memmove(http->buffer + head - 1, http->buffer + head, length);
	http->body[length] = '\0';
	return true;
}

static int hex(char digit)
{
	return isdigit((unsigned char)digit) ? digit - '0'
					     : tolower((unsigned char)digit) - 'a' + 10;
}

static char *decode(const char *text, size_t length)
{
	char *made = malloc(length + 1), *to = made;

	if (!made)
		abort();
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '%' && i + 2 < length && isxdigit((unsigned char)text[i + 1]) &&
			isxdigit((unsigned char)text[i + 2])) {
			*to++ = (char)(hex(text[i + 1]) * 16 + hex(text[i + 2]));
			i += 2;
		} else {
			*to++ = text[i] == '+' ? ' ' : text[i];
		}
	}
	*to = '\0';
	return made;
}

char *api_http_parameter(const struct api_http *http, const char *key)
{
	size_t length = strlen(key);

	for (const char *at = http->query; *at;) {
		size_t size = strcspn(at, "&");

		if (size > length && !strncmp(at, key, length) && at[length] == '=')
			return decode(at + length + 1, size - length - 1);
		at += size + (at[size] == '&');
	}
	return decode("", 0);
}

static bool send_parts(int fd, struct iovec *parts, size_t count)
{
	while (count) {
		struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
		ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);

		if (sent < 0)
			return false;
		while (count && (size_t)sent >= parts->iov_len) {
			sent -= (ssize_t)parts->iov_len;
			parts++;
			count--;
		}
		if (count) {
			parts->iov_base = (char *)parts->iov_base + sent;
			parts->iov_len -= (size_t)sent;
		}
	}
	return true;
}

static const char *phrase_of(int code)
{
	return code < 300 ? "OK" : code < 500 ? "Client Error" : "Server Error";
}

static size_t print_head(char *out, size_t size, const struct api_answer *answer, size_t length)
{
	char retry[48] = "";

	if (answer->retry_after)
		snprintf(retry, sizeof(retry), "Retry-After: %d\r\n", answer->retry_after);
	return (size_t)snprintf(out, size,
		"HTTP/1.1 %d %s\r\nContent-Type: %s\r\n%sContent-Length: %zu\r\n\r\n", answer->code,
		phrase_of(answer->code), answer->plain ? "text/plain" : "application/json", retry,
		length);
}

bool api_http_answer(
	struct api_http *http, const struct api_answer *answer, enum api_fault_kind fault)
{
	static const char garbage[] = "\x01\xff{]garbage";
	const char *text = fault == API_FAULT_GARBAGE ? garbage : answer->text->text;
	size_t length = fault == API_FAULT_GARBAGE ? strlen(garbage) : answer->text->length;
	struct iovec parts[2];
	char head[512];
	size_t size;

	if (fault == API_FAULT_CUT)
		return false;
	if (fault == API_FAULT_TRUNCATED)
		length /= 2;
	size = print_head(head, sizeof(head), answer, length);
	if (fault == API_FAULT_CUT_INSIDE)
		length /= 2;
	parts[0] = (struct iovec){head, size};
	parts[1] = (struct iovec){(void *)(uintptr_t)text, length};
	return send_parts(http->fd, parts, 2) && fault != API_FAULT_CUT_INSIDE;
}

bool api_http_begin(struct api_http *http)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
				   "Transfer-Encoding: chunked\r\n\r\n";
	struct iovec part = {(void *)(uintptr_t)head, strlen(head)};

	return send_parts(http->fd, &part, 1);
}

static bool send_chunk(struct api_http *http, const char *bytes, size_t length, size_t sent)
{
	char head[32];
	struct iovec parts[3] = {
		{head, (size_t)snprintf(head, sizeof(head), "%zx\r\n", length)},
		{(void *)(uintptr_t)bytes, sent},
		{(char[]){'\r', '\n'}, sent == length ? 2 : 0},
	};

	return send_parts(http->fd, parts, 3);
}

bool api_http_chunk(struct api_http *http, const char *bytes, size_t length)
{
	return send_chunk(http, bytes, length, length);
}

bool api_http_half(struct api_http *http, const char *bytes, size_t length)
{
	return send_chunk(http, bytes, length, length / 2);
}

bool api_http_end(struct api_http *http)
{
	return send_chunk(http, "", 0, 0);
}

bool api_http_is_open(const struct api_http *http)
{
	char byte;

	return recv(http->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
}
