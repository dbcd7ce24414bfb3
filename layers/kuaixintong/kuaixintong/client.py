"""HTTP towards the platform: the only room that speaks it.

One rule above all: nothing that may have reached the platform is ever sent again from here. A request goes out
once; either a readable answer comes back or :class:`NoAnswer` is raised, and the ledger decides what that means.
"""

import time

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from kuaixintong.core.codec import LONGEST_ANSWER, decode_answer, encode
from kuaixintong.core.credentials import PlatformCredentials
from kuaixintong.core.errors import NoAnswer, Unanswered
from kuaixintong.core.messages import Answer, Login, SendSm

_CONTENT_TYPE = "application/x-www-form-urlencoded; charset=UTF-8"
_CHUNK = 4096


class PlatformClient:
    """A kept-alive connection pool to one platform address; safe between threads.

    ``connect_timeout`` and ``answer_timeout`` are in seconds. The second bounds the whole body and not only each
    read of the socket, so a platform that drips its answer cannot hold a worker. Of the status line and headers it
    bounds each read; a platform that drips those is left to the end of the function's time.
    """

    def __init__(self, url: str, *, connect_timeout: float, answer_timeout: float, connections: int) -> None:
        self._url = url
        self.address = url
        self._connect_timeout = connect_timeout
        self._answer_timeout = answer_timeout
        self._session = requests.Session()
        # The environment's proxies and .netrc are not the deployment's settings, and .netrc would add a header.
        self._session.trust_env = False
        self._session.headers["User-Agent"] = "kuaixintong-on-aws"
        adapter = HTTPAdapter(
            pool_connections=1,
            pool_maxsize=connections,
            pool_block=True,
            max_retries=Retry(total=0, read=False, redirect=False),
        )
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def ask(self, request: Login | SendSm, credentials: PlatformCredentials, timestamp: str) -> Answer:
        """Send one request once and return the platform's answer.

        Raises :class:`NoAnswer` when the connection is refused or reset, time runs out, the HTTP status is not
        200, or the body cannot be read.
        """
        fields = encode(request, credentials, timestamp)
        deadline = time.monotonic() + self._connect_timeout + self._answer_timeout
        try:
            with self._session.post(
                self._url,
                data=fields,
                headers={"Content-Type": _CONTENT_TYPE},
                timeout=(self._connect_timeout, self._answer_timeout),
                allow_redirects=False,
                stream=True,
            ) as response:
                if response.status_code != requests.codes.ok:
                    raise NoAnswer(
                        f"The platform answered with HTTP status {response.status_code}.",
                        Unanswered.HTTP_STATUS,
                        status=response.status_code,
                    )
                return decode_answer(_read(response, deadline))
        except (requests.RequestException, HTTPError, OSError) as error:
            # The class alone: the error's text can carry the address and pieces of the request.
            raise NoAnswer(f"No answer from the platform: {type(error).__name__}.", Unanswered.RESET) from error


def _read(response: requests.Response, deadline: float) -> bytes:
    body = bytearray()
    # One read of the socket at a time: a plain read waits until its chunk is full, and every dripped byte starts
    # that wait anew.
    while chunk := response.raw.read1(_CHUNK, decode_content=True):
        body += chunk
        if len(body) > LONGEST_ANSWER:
            raise NoAnswer(f"The answer is longer than {LONGEST_ANSWER} bytes.", Unanswered.UNREADABLE)
        if time.monotonic() > deadline:
            raise NoAnswer("The answer did not end in time.", Unanswered.TIMED_OUT)
    return bytes(body)
