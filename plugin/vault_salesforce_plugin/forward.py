"""Everything that is not the plugin's own: sign it, send it to a sidecar, hand its answer on. No lock is held."""

import json
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote

from vault_plugin_sdk.framework.coerce import json_object
from vault_plugin_sdk.framework.path import WRITES
from vault_plugin_sdk.logical.errors import CallerError, EngineError, OperatorError, TransientError
from vault_plugin_sdk.logical.request import Operation, Request
from vault_plugin_sdk.logical.response import Response
from vault_salesforce_contract.forwarding import (
    CLOCK_SKEW,
    LIFETIME_SECONDS,
    MAX_PATH_BYTES,
    METHODS,
    NOT_UP,
    STOPPING,
    UNKNOWN_KEY,
    Claims,
    body_digest,
)
from vault_salesforce_contract.registration import BEAT_SECONDS, STALE_SECONDS
from vault_salesforce_plugin.clock import Clock
from vault_salesforce_plugin.http import Answer, Busy, Http, Lost, Target, Unreachable
from vault_salesforce_plugin.sidecars import Sidecar, Sidecars
from vault_salesforce_plugin.signing import Signer

_DECLINES = (NOT_UP, STOPPING, CLOCK_SKEW)
# What logs in or rotates may take as long as its `wait` allows.
_PATIENT_PATHS = ("config/", "resync/", "rotate/", "rotate-root/", "security-token/", "static-roles/", "unlock/")
_SECOND_RUN = "this plugin was just started, and the one before may have sent it already"
_PATIENT_READS = ("preflight/", "preflight-config/")


class _Declined(Exception):  # noqa: N818 - what happened, as a fact
    """The sidecar comes up or goes down, or its clock is wrong, and it has done nothing.

    Args:
        answer: What it said.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__("it is not up")
        self.answer = answer


@dataclass(frozen=True)
class Limits:
    """How long a request may be under way. A request that waits inside a plugin holds up the server's state changes.

    Attributes:
        patient_seconds: For one that logs in or rotates; the sidecar itself answers within ten.
        brief_seconds: For any other.
        all_seconds: For all tries of one request together.
        register_seconds: For a sidecar that meets an unknown key to register; after it, for the answer to reach it.
    """

    patient_seconds: float = 11.5
    brief_seconds: float = 5.0
    all_seconds: float = 11.5
    register_seconds: tuple[float, ...] = (2.0, 0.25, 0.25)


class _UnknownKey(Exception):  # noqa: N818 - what happened, as a fact
    """The sidecar does not know this process's key, and has done nothing."""


class Forwarder:
    """The catch-all of the mount.

    Args:
        sidecars: Who may answer.
        signer: This process's key.
        http: Threads and places.
        clock: The two times.
        accessor: The mount's accessor. Asked for each signature: a new process that was only read from learns it from
            the registration that its first request brings about.
        limits: How long a request may take.
    """

    def __init__(
        self,
        sidecars: Sidecars,
        signer: Signer,
        http: Http,
        clock: Clock,
        *,
        accessor: Callable[[], str],
        limits: Limits | None = None,
    ) -> None:
        self._sidecars = sidecars
        self._signer = signer
        self._http = http
        self._clock = clock
        self._accessor = accessor
        self._limits = limits or Limits()
        self._started = clock.monotonic()

    async def send(self, request: Request) -> Response | None:
        """Have a sidecar answer. The next one is tried only where nothing was begun by the one before.

        Returns:
            The sidecar's answer: status, data, warnings and errors as they came. Of a rotation whose answer was lost:
            200 with `done=false`, for 5xx promises that none began, and clients send again what got 5xx. The same of
            one that no sidecar took from a process so young that the server may have asked its predecessor before.

        Raises:
            CallerError: 405: an operation that no path has. 404: no path is that long.
            OperatorError: 503: no sidecar has registered.
            TransientError: 503: none can be reached, or all threads are taken: nothing was begun. 429: too many of
                them by this caller. 503 also where the answer to a read was lost.
            OperatorError: 424: the outcome of a write is unknown; no 5xx, which clients send again by themselves.
            StorageError: The registrations cannot be read.
        """
        if request.operation not in METHODS:
            raise CallerError(
                f"{request.operation} is not supported at {request.path}", status=HTTPStatus.METHOD_NOT_ALLOWED
            )
        if len(quote(request.path)) > MAX_PATH_BYTES:
            raise CallerError(f"there is no path of more than {MAX_PATH_BYTES} bytes", status=HTTPStatus.NOT_FOUND)
        subject = request.path.rstrip("/").rpartition("/")[2]
        in_order = await self._sidecars.in_order(subject)
        if not in_order:
            raise await self._nobody(request)
        is_second_run = self._may_be_a_second_run(request)  # as it came: trying itself takes as long as being young
        try:
            return await self._by_one_of(in_order, request)
        except Lost as exc:
            return _lost(request, subject, exc)
        except (_Declined, Busy, TransientError) as exc:
            if is_second_run:
                return _lost(request, subject, Lost(_SECOND_RUN))
            return _nothing_begun(exc)

    def _may_be_a_second_run(self, request: Request) -> bool:
        """Whether a process before this one may have passed this request on: the server asks anew after a plugin's end.

        Only then is it unknown whether a rotation began, although nobody took it from us.
        """
        return request.path.startswith("rotate/") and (
            self._clock.monotonic() - self._started < self._limits.all_seconds
        )

    async def _by_one_of(self, in_order: Iterable[Sidecar], request: Request) -> Response | None:
        end = self._clock.monotonic() + self._limits.all_seconds
        body = json.dumps(request.data, separators=(",", ":")).encode() if request.data else b""
        reasons = []
        declined: _Declined | None = None
        for sidecar in in_order:
            if self._clock.monotonic() >= end:
                reasons.append(f"{sidecar.instance}: no time was left to ask it")
                continue
            try:
                return await self._by(sidecar, request, body, end)
            except Unreachable as exc:
                sidecar.reachable = False
                reasons.append(f"{sidecar.instance}: {exc}")
            except _UnknownKey:
                reasons.append(f"{sidecar.instance}: it has not registered since this plugin was started")
            except _Declined as exc:
                declined = exc
        if declined is not None:
            raise declined
        raise TransientError(
            f"no sidecar can be reached: {'; '.join(reasons)}",
            code="no_sidecar_reached",
            remedy="see whether the sidecars run, and whether the Vault server may connect to their addresses",
            retry_after_seconds=BEAT_SECONDS,
        )

    async def _by(self, sidecar: Sidecar, request: Request, body: bytes, end: float) -> Response | None:
        # A sidecar that does not know this process's key has done nothing, and registers at its own Vault at once; the
        # answer to its registration may reach it a little after the registration reached us.
        for limit_seconds in self._limits.register_seconds:
            beats = sidecar.beats
            try:
                return _passed_on(await self._once(sidecar, request, body, end))
            except _UnknownKey:
                await self._sidecars.heard_again(sidecar, beats, limit_seconds)
        return _passed_on(await self._once(sidecar, request, body, end))

    async def _once(self, sidecar: Sidecar, request: Request, body: bytes, end: float) -> Answer:
        patient = request.path.startswith(_PATIENT_READS) or (
            request.operation in (*WRITES, Operation.DELETE) and request.path.startswith(_PATIENT_PATHS)
        )
        limit = self._limits.patient_seconds if patient else self._limits.brief_seconds
        left = min(limit, end - self._clock.monotonic())
        if left <= 0:
            raise Unreachable("no time was left")
        registration = sidecar.registration
        answer = await self._http.send(
            Target.of(registration.url, registration.certificate),
            METHODS[request.operation],
            f"/v1/{quote(request.path)}",
            body=body,
            headers={
                "Authorization": f"Bearer {self._sign(sidecar, request, body)}",
                "Content-Type": "application/json",
            },
            limit_seconds=left,
            patient=patient,
            whose=request.caller.identity,
        )
        if answer.status == HTTPStatus.UNAUTHORIZED:
            if (json_object(answer.body) or {}).get("code") == UNKNOWN_KEY:
                raise _UnknownKey
            # Nothing was done there either; the caller, whose token is good, would look for the fault in it.
            raise Unreachable("it does not take this mount's signature")
        if (
            answer.status == HTTPStatus.SERVICE_UNAVAILABLE
            and (json_object(answer.body) or {}).get("code") in _DECLINES
        ):
            raise _Declined(answer)
        return answer

    def _sign(self, sidecar: Sidecar, request: Request, body: bytes) -> str:
        issued = int(self._clock.now().timestamp())
        return self._signer.sign(
            Claims(
                iss=self._accessor(),
                aud=sidecar.instance,
                jti=request.caller.request_id or str(uuid.uuid4()),
                iat=issued,
                exp=issued + LIFETIME_SECONDS,
                operation=request.operation,
                path=request.path,
                digest=body_digest(body),
                caller=request.caller,
            )
        )

    async def _nobody(self, request: Request) -> EngineError:
        silent = await self._sidecars.all()
        if not silent:
            return OperatorError(
                "no sidecar has registered at this mount yet; it answers everything but reads of credentials",
                status=HTTPStatus.SERVICE_UNAVAILABLE,
                code="no_sidecar",
                remedy=f"start `vault-salesforce sidecar`; it registers at {request.mount_point}sidecar/<instance>",
            )
        last = "; ".join(f"{one.instance}: {self._sidecars.silent_seconds(one):.0f} s ago" for one in silent)
        return TransientError(
            f"no sidecar was heard for {STALE_SECONDS} s: {last}",
            code="no_sidecar_reached",
            remedy=f"see whether the sidecars run, and whether they reach Vault (vault read {request.mount_point}info)",
            retry_after_seconds=BEAT_SECONDS,
        )


def _nothing_begun(refusal: _Declined | Busy | TransientError) -> Response | None:
    """The answer where no sidecar took the request. Raises: TransientError."""
    if isinstance(refusal, _Declined):
        return _passed_on(refusal.answer)
    if isinstance(refusal, TransientError):
        raise refusal
    if refusal.own:
        raise TransientError(
            "too many of your requests are under way; nothing was begun",
            status=HTTPStatus.TOO_MANY_REQUESTS,
            code="busy",
            retry_after_seconds=1,
        ) from refusal
    raise TransientError(
        "too many requests are waiting for the sidecars; nothing was begun", retry_after_seconds=1
    ) from refusal


def _passed_on(answer: Answer) -> Response | None:
    """The sidecar's answer as the mount's. Raises: Lost where it is none of ours."""
    if answer.status == HTTPStatus.NO_CONTENT:
        return None
    document = json_object(answer.body)
    if document is None:
        pass
    elif answer.status == HTTPStatus.OK:
        data, warnings = document.get("data"), document.get("warnings") or []
        if (data is None or isinstance(data, dict)) and isinstance(warnings, list):
            return Response(data=data, warnings=tuple(str(warning) for warning in warnings))
    elif HTTPStatus.OK < answer.status < HTTPStatus.MULTIPLE_CHOICES or "errors" in document:
        return Response(data=document, status=answer.status)
    raise Lost("something else than a sidecar's answer came back")


def _lost(request: Request, subject: str, reason: Lost) -> Response:
    about_a_connection = request.path.startswith("config/")
    watch = f"vault read {request.mount_point}{request.path if about_a_connection else f'status/{subject}'}"
    if request.path.startswith("rotate/"):
        return Response(
            data={"role": subject, "state": "unknown", "done": False},
            warnings=(f"the sidecar's answer was lost ({reason}): a rotation may be going on; watch it with: {watch}",),
        )
    if request.operation in (Operation.READ, Operation.LIST):
        raise TransientError(
            f"the sidecar's answer was lost ({reason})", code="answer_lost", retry_after_seconds=1
        ) from reason
    raise OperatorError(
        f"the sidecar's answer was lost ({reason}): what was asked may have been done, or may be going on",
        code="outcome_unknown",
        remedy=f"look before asking again: {watch}",
    ) from reason
