/* SPDX-License-Identifier: Apache-2.0 */
#include "transfers.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 16
#define NEVER      INT64_MAX

struct transfers {
	CURLM *multi;
	int epoll, wake;
	int64_t due_ms; /* when libcurl wants to be called, whatever happens */
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* libcurl may have closed and opened a descriptor of this number since it last told of it. */
static void watch(const struct transfers *transfers, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	if (epoll_ctl(transfers->epoll, EPOLL_CTL_MOD, fd, &event) == 0)
		return;
	if (errno != ENOENT || epoll_ctl(transfers->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		abort();
}

static int on_socket(CURL *handle, curl_socket_t fd, int what, void *context, void *socket_context)
{
	const struct transfers *transfers = context;

	(void)handle;
	(void)socket_context;
	if (what == CURL_POLL_REMOVE)
		epoll_ctl(transfers->epoll, EPOLL_CTL_DEL, fd, NULL);
	else
		watch(transfers, fd,
			(what & CURL_POLL_IN ? EPOLLIN : 0) |
				(what & CURL_POLL_OUT ? EPOLLOUT : 0));
	return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *context)
{
	struct transfers *transfers = context;

	(void)multi;
	transfers->due_ms = timeout_ms < 0 ? NEVER : now_ms() + timeout_ms;
	return 0;
}

struct transfers *transfers_new(void)
{
	struct transfers *transfers = calloc(1, sizeof(*transfers));

	if (!transfers)
		abort();
	transfers->due_ms = NEVER;
	transfers->multi = curl_multi_init();
	transfers->epoll = epoll_create1(EPOLL_CLOEXEC);
	transfers->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!transfers->multi || transfers->epoll < 0 || transfers->wake < 0)
		abort();
	watch(transfers, transfers->wake, EPOLLIN);
	curl_multi_setopt(transfers->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(transfers->multi, CURLMOPT_SOCKETDATA, transfers);
	curl_multi_setopt(transfers->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(transfers->multi, CURLMOPT_TIMERDATA, transfers);
	return transfers;
}

void transfers_free(struct transfers *transfers)
{
	curl_multi_cleanup(transfers->multi);
	close(transfers->wake);
	close(transfers->epoll);
	free(transfers);
}

void transfers_add(struct transfers *transfers, CURL *handle)
{
	if (curl_multi_add_handle(transfers->multi, handle) != CURLM_OK)
		abort();
}

void transfers_remove(struct transfers *transfers, CURL *handle)
{
	curl_multi_remove_handle(transfers->multi, handle);
}

static void act(struct transfers *transfers, curl_socket_t fd, int mask)
{
	int running;

	curl_multi_socket_action(transfers->multi, fd, mask, &running);
}

static void handle_event(struct transfers *transfers, const struct epoll_event *event)
{
	uint64_t count;
	int mask = (event->events & EPOLLIN ? CURL_CSELECT_IN : 0) |
		   (event->events & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
		   (event->events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

	if (event->data.fd != transfers->wake)
		act(transfers, event->data.fd, mask);
	else if (read(transfers->wake, &count, sizeof(count)) < 0 && errno != EAGAIN)
		abort();
}

void transfers_wait(struct transfers *transfers, int64_t max_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int64_t left = transfers->due_ms == NEVER ? max_ms : transfers->due_ms - now_ms();
	int count;

	if (left > max_ms)
		left = max_ms;
	count = epoll_wait(transfers->epoll, events, EVENTS_MAX, left > 0 ? (int)left : 0);
	for (int i = 0; i < count; i++)
		handle_event(transfers, &events[i]);
	if (transfers->due_ms > now_ms())
		return;
	transfers->due_ms = NEVER;
	act(transfers, CURL_SOCKET_TIMEOUT, 0);
}

bool transfers_next(struct transfers *transfers, CURL **ret_handle, CURLcode *ret_code)
{
	CURLMsg *message;
	int left;

	do {
		message = curl_multi_info_read(transfers->multi, &left);
	} while (message && message->msg != CURLMSG_DONE);
	if (!message)
		return false;
	*ret_handle = message->easy_handle;
	*ret_code = message->data.result;
	return true;
}

void transfers_wake(struct transfers *transfers)
{
	const uint64_t one = 1;

	/* It fails only where it was woken so often that it is awake. */
	if (write(transfers->wake, &one, sizeof(one)) < 0 && errno != EAGAIN)
		abort();
}
