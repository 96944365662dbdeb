"""What the paths work with: the stores of one mount, its identity, its clock, and the hooks that keep them right."""

import asyncio
import logging
from collections.abc import Iterable
from http import HTTPStatus
from typing import NoReturn

from vault_plugin_sdk.framework.backend import Backend, SpecialPaths
from vault_plugin_sdk.framework.path import Description, Path
from vault_plugin_sdk.framework.secret import Secret
from vault_plugin_sdk.logical.errors import CallerError, OperatorError, TransientError
from vault_plugin_sdk.logical.request import Caller, Request
from vault_plugin_sdk.logical.response import Response
from vault_plugin_sdk.logical.storage import ReadOnlyStorageError, Storage, StorageError
from vault_plugin_sdk.logical.system import SystemView
from vault_salesforce_contract.published import PublishedCredential
from vault_salesforce_contract.registration import BEAT_SECONDS, DueMark
from vault_salesforce_plugin import credentials, due, sidecars
from vault_salesforce_plugin.clock import Clock
from vault_salesforce_plugin.credentials import Credentials
from vault_salesforce_plugin.due import DueMarks, Waker
from vault_salesforce_plugin.forward import Forwarder, Limits
from vault_salesforce_plugin.http import Http
from vault_salesforce_plugin.lease_set import LeaseSet
from vault_salesforce_plugin.leases import Lent, is_due
from vault_salesforce_plugin.sidecars import Sidecar, Sidecars
from vault_salesforce_plugin.signing import Signer

_log = logging.getLogger(__name__)

SWEPT_AT_ONCE = 1000  # records in one tick: it may take no longer than a request


class Mount(Backend):
    """One mount.

    Attributes:
        clock: The two times.
        signer: This process's key.
        accessor: The mount's accessor, as the last write told it: the server leaves it out of reads.
        mount_point: Where it is mounted, with a trailing slash, as the last request told it.
        credentials, due, leases, sidecars: The stores, from `attach` on.
    """

    credentials: Credentials
    due: DueMarks
    leases: LeaseSet
    sidecars: Sidecars

    def __init__(
        self,
        paths: Iterable[Path],
        *,
        secrets: Iterable[Secret] = (),
        special: SpecialPaths | None = None,
        introduction: str = "",
        described: Iterable[Description] = (),
        clock: Clock | None = None,
        limits: Limits | None = None,
        http: Http | None = None,
    ) -> None:
        super().__init__(paths, secrets=secrets, special=special, introduction=introduction, described=described)
        self.clock = clock or Clock()
        self.signer = Signer()
        self.accessor = ""
        self.mount_point = ""
        self._limits = limits
        self._http = http or Http()
        self._warming: asyncio.Task[None] | None = None
        self._longest_lease: float | None = None
        self._owed: set[Lent] = set()  # leases that are over, which storage did not take yet

    def attach(self, storage: Storage, system: SystemView) -> None:
        """See `Backend.attach`."""
        super().attach(storage, system)
        self.credentials = Credentials(storage)
        self.sidecars = Sidecars(storage, self.clock)
        self.leases = LeaseSet(storage)
        self._waker = Waker(self.sidecars, self._http)
        self.due = DueMarks(storage, self.credentials, self._waker.wake)
        self._forwarder = Forwarder(
            self.sidecars, self.signer, self._http, self.clock, accessor=lambda: self.accessor, limits=self._limits
        )

    async def initialize(self) -> None:
        """See `Backend.initialize`. The sidecars that are known from before do not know this process's key yet."""
        await super().initialize()
        if not self.standby:
            self._waker.wake()
            self._warm()

    async def handle(self, request: Request) -> Response | None:
        """See `Backend.handle`."""
        self.accessor = request.mount_accessor or self.accessor
        self.mount_point = request.mount_point or self.mount_point
        return await super().handle(request)

    async def fallback(self, request: Request) -> Response | None:
        """What is not the plugin's own is a sidecar's."""
        self.require_active()
        return await self._forwarder.send(request)

    async def periodic(self) -> None:
        """Sweep what ended without a word: leases past their end, void marks, sidecars that are gone."""
        self._longest_lease = None
        for lent in list(self._owed):
            await self._end(lent)
            self._owed.discard(lent)
        silent = await self.leases.silent(self.clock.now().timestamp(), SWEPT_AT_ONCE)
        # The mark before the record goes: a crash in between marks twice, and never not at all.
        for role, version in {(record.role, record.version) for record in silent}:
            await self._lease_ended(role, version, Caller())
        await self.leases.sweep(silent)
        await self.due.prune()
        await self.sidecars.forget_silent()

    async def invalidate(self, key: str) -> None:
        """See `Backend.invalidate`."""
        if key.startswith(credentials.PREFIX):
            self.credentials.invalidate(key.removeprefix(credentials.PREFIX))
        elif key.startswith(sidecars.PREFIX):
            self.sidecars.invalidate()
        elif key.startswith(due.PREFIX):
            self.due.invalidate()

    async def cleanup(self) -> None:
        """See `Backend.cleanup`."""
        if self._warming is not None:
            self._warming.cancel()
        self._waker.close()
        self._http.close()

    def exists(self, path: str) -> bool | None:
        """See `Backend.exists`: only a registration can be told from memory."""
        collection, _, name = path.partition("/")
        return self.sidecars.knows(name) if collection == "sidecar" else None

    def compare(self, sidecar: Sidecar) -> tuple[int, ...] | None:
        """The parts that this sidecar knows otherwise than we hold them; None while not all copies are loaded.

        A sidecar that knows less than we hold differs too, and says after a comparison that nothing is lacking here.
        """
        if not self.credentials.loaded:
            self._warm()
        said = sidecar.registration
        differing = self.credentials.differing(said.published)
        compared = said.published, self.credentials.digests()
        sidecar.complete = differing == () or (
            differing is not None and said.lacking == 0 and compared == sidecar.compared
        )
        sidecar.compared = compared if differing is not None else ((), ())
        return differing

    async def held(self, role: str) -> PublishedCredential:
        """The credential of a role.

        Raises:
            CallerError: 404: there is no such role, or it was deleted.
            OperatorError, TransientError: 503: it may exist, but is not published here yet.
            ForwardToActive: This is a standby, which cannot know.
            StorageError: It cannot be read.
        """
        credential = await self.credentials.get(role)
        if credential is None:
            self.require_active()
            await self._missing(role)
        elif credential.deleted:
            raise CallerError(f"the role {role!r} was deleted", status=HTTPStatus.NOT_FOUND, code="role_deleted")
        return credential

    async def unrest(self, role: str, credential: PublishedCredential) -> tuple[str, ...]:
        """Why the version will soon be an old one, as warnings for its reader; nothing where it is at rest."""
        if self.sidecars.is_changing(role):
            ask = f"{self.mount_point}version/{role}"
            return (f"the password of {role!r} is being changed now: before a login, ask {ask} until `changing` ends",)
        if await self.due.is_due(role):
            return (f"version {credential.version} of {role!r} is due for rotation",)
        return ()

    async def is_at_rest(self, lent: Lent) -> bool:
        """Whether what was lent is what is held, and neither due nor being changed. Raises: StorageError."""
        held = await self.credentials.get(lent.role)
        return held is not None and lent.is_current(held) and not await self.unrest(lent.role, held)

    async def longest_lease_seconds(self) -> float:
        """The mount's own bound on leases, as it was at most a tick ago. Raises: StorageError."""
        if self._longest_lease is None:
            self._longest_lease = await self.system.max_lease_ttl_seconds()
        return self._longest_lease

    async def end(self, lent: Lent) -> None:
        """A lease is over. What storage does not take now, the tick does: the server would try six times, and then
        keep the lease for ever.
        """
        try:
            await self._end(lent)
        except (StorageError, ReadOnlyStorageError) as exc:
            _log.warning("the end of a lease waits for storage", extra={"role": lent.role, "fault": str(exc)})
            self._owed.add(lent)

    async def _end(self, lent: Lent) -> None:
        if lent.record:
            await self.leases.leave(lent.role, lent.record)
        if lent.triggers and lent.is_current(await self.credentials.get(lent.role)):
            await self._lease_ended(lent.role, lent.version, lent.caller)
        # The mark before the record goes, as in the tick: a crash in between loses nothing.
        if lent.record:
            await self.leases.end(lent.role, lent.record)

    async def _lease_ended(self, role: str, version: int, caller: Caller) -> None:
        """Mark the version where the end of a lease on it, lent to `caller`, makes it due."""
        # A mount that is moved or disabled loses all its leases at once, and means nothing by it.
        if await self._mark_of(role, version, caller) is None or await self.system.tainted():
            return
        # Looked at again after the call: whoever was lent the version meanwhile keeps it.
        mark = await self._mark_of(role, version, caller)
        if mark is not None:
            await self.due.mark(mark)

    async def _mark_of(self, role: str, version: int, caller: Caller) -> DueMark | None:
        held = await self.credentials.get(role)
        others = await self.leases.lives(role, version, self.clock.now().timestamp())
        if held is None or not is_due(version, held, others=others):
            return None
        return DueMark(role, version, held.rotation_id, caller=caller)

    def _warm(self) -> None:
        """Load every copy, beside whatever else is asked: only then can we tell what is missing."""
        if self._warming is None or self._warming.done():
            self._warming = asyncio.get_running_loop().create_task(self._load())

    async def _load(self) -> None:
        try:
            await self.credentials.load()
        except StorageError as exc:
            _log.warning("the copies wait for storage", extra={"fault": str(exc)})  # until the next heartbeat
        else:
            self._waker.wake()

    def holds_all(self, registered: Iterable[Sidecar]) -> bool:
        """Whether a role that is not held does not exist: as far as somebody knows, and nobody knows better."""
        known = False
        for one in registered:
            # What a sidecar said it has may have come since.
            if one.complete or self.credentials.differing(one.registration.published) == ():
                known = True
            elif one.registration.lacking and self.sidecars.is_fresh(one):
                return False
        return known

    def lost_a_copy(self) -> None:
        """Somebody removed one: what the sidecars said before holds no longer, and they are to hand it over again."""
        self.sidecars.nobody_is_sure()
        self._waker.wake()

    async def _missing(self, role: str) -> NoReturn:
        registered = await self.sidecars.all()
        if not registered:
            raise OperatorError(
                f"no sidecar has registered at this mount yet, so the role {role!r} is not published here",
                status=HTTPStatus.SERVICE_UNAVAILABLE,
                code="no_sidecar",
                remedy=f"start `vault-salesforce sidecar`; it registers at {self.mount_point}sidecar/<instance>",
            )
        if not self.holds_all(registered):
            raise TransientError(
                f"the role {role!r} is not published here yet, or does not exist: copies are still being handed over",
                code="not_published_yet",
                retry_after_seconds=BEAT_SECONDS,
            )
        raise CallerError(
            f"there is no published role {role!r}",
            status=HTTPStatus.NOT_FOUND,
            code="no_such_role",
            remedy=f"vault read {self.mount_point}status/{role} says whether it exists and why it is not published",
        )
