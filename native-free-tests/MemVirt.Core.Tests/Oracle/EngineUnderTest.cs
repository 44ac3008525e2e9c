using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Invalidation;
using MemVirt.Core.Memory;
using MemVirt.Core.Registers;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Tlb;
using MemVirt.Core.Walking;
using MemVirt.Oracle.Architecture;

namespace MemVirt.Core.Tests.Oracle;

/// <summary>The library's walk, driven by the oracle's inputs and telling what the oracle tells.</summary>
internal sealed class EngineUnderTest : IDisposable
{
    private readonly Dictionary<(bool, int, bool, bool), GuestRules> _guestRules = [];
    private readonly Dictionary<LiteralStageInput, SecondStageRules> _stageRules = [];
    private readonly PagingStructureCaches[] _guestCaches = [Caches(CachedTable.HostPhysical), Caches(CachedTable.GuestPhysical)];
    private readonly PagingStructureCaches _stageCaches = Caches(CachedTable.HostPhysical);
    private readonly NestedTlb _nestedTlb = new(new TagArray(new SetGeometry(32, 4)), PageSize.Size4K);
    private PagingStructureCaches? _guest;
    private readonly Dictionary<Type, object> _mmus = [];
    private bool _isCached;
    private bool _hasTlb;
    private bool _isNewSet;
    private (ulong Cr0, ulong Cr4, uint Pkru, uint Pkrs) _judges;

    internal SparseMemory Memory { get; } = new();

    /// <summary>What an MMU answered differently when it was asked again; null where it did not.</summary>
    internal string? Complaint { get; private set; }

    internal PageModificationLog Log { get; } = new();

    public void Dispose() => Memory.Dispose();

    /// <summary>From now on walks go through empty caches of every kind, or through none; with a TLB, accesses go through an MMU.</summary>
    internal void UseCaches(bool isCached, bool ofGuestAddresses, bool hasTlb)
    {
        (_isCached, _hasTlb, _isNewSet) = (isCached, hasTlb, true);
        _guest = isCached ? _guestCaches[ofGuestAddresses ? 1 : 0] : null;
        _guest?.Clear();
        _stageCaches.Clear();
        _nestedTlb.Clear();
    }

    internal LiteralOutcome Translate(in LiteralInput input, in LiteralStageInput stage)
    {
        var registers = new PagingRegisters
        {
            Cr0 = input.Cr0, Cr3 = input.Cr3, Cr4 = input.Cr4, Efer = input.Efer, Pkru = input.Pkru, Pkrs = input.Pkrs,
        };
        GuestRules rules = GuestRulesOf(in input);
        rules.Update(in registers);
        return stage.Kind switch
        {
            LiteralStage.None => Run(default(IdentityStage), rules, in input),
            LiteralStage.Ept when stage.Levels == 5 => Run(Nested<FiveLevels<EptFormat>>(in stage), rules, in input),
            LiteralStage.Ept => Run(Nested<EptFormat>(in stage), rules, in input),
            _ when stage.Levels == 5 => Run(Nested<FiveLevels<NptFormat>>(in stage), rules, in input),
            _ => Run(Nested<NptFormat>(in stage), rules, in input),
        };
    }

    private LiteralOutcome Run<TStage>(TStage stage, GuestRules rules, in LiteralInput input)
        where TStage : struct, ISecondStage
    {
        var source = new PagingSource<TStage, HostTableReader>(stage, new HostTableReader(Memory), rules, _guest)
        {
            Cr3 = input.Cr3,
            Pdptes = new PageDirectoryPointers(input.Pdpte0, input.Pdpte1, input.Pdpte2, input.Pdpte3),
        };
        bool isLong = rules.Mode >= PagingMode.FourLevel;
        if (isLong && !GuestVirtualAddress.IsCanonical(input.Linear, source.LinearAddressBits))
        {
            return new LiteralOutcome { Kind = LiteralKind.NonCanonical };
        }

        ulong address = isLong ? input.Linear & ((1UL << 57) - 1) : input.Linear & uint.MaxValue;
        return _hasTlb
            ? TranslateByMmu(source, address, isLong ? input.Linear : address, in input)
            : Tell(source.Translate(address, Needed(in input)), input.Linear, IsUser(in input));
    }

    /// <summary>
    /// The front and the TLB first, as an emulator's access would; then what there is to say of it. What the TLB holds is judged by the
    /// registers of each access.
    /// </summary>
    private LiteralOutcome TranslateByMmu<TStage>(
        PagingSource<TStage, HostTableReader> source, ulong address, ulong linear, in LiteralInput input)
        where TStage : struct, ISecondStage
    {
        if (!_mmus.TryGetValue(typeof(TStage), out object? known))
        {
            known = new Mmu<PagingSource<TStage, HostTableReader>>(source, 16, 4);
            _mmus.Add(typeof(TStage), known);
        }

        var mmu = (Mmu<PagingSource<TStage, HostTableReader>>)known;
        if (_isNewSet)
        {
            mmu.Source = source;
            mmu.Invalidate(TlbInvalidation.All);
            _isNewSet = false;
        }

        (ulong, ulong, uint, uint) judges = (input.Cr0, input.Cr4, input.Pkru, input.Pkrs);
        if (judges != _judges)
        {
            _judges = judges;
            mmu.PolicyChanged();
        }

        mmu.SwitchPrivilege(input.Cpl == 3, input.Ac);
        GuestVirtualAddress gva = GuestVirtualAddress.FromValid(linear);
        if (input.ShadowStack || input.ImplicitSupervisor)
        {
            return Tell(mmu.TranslateAs(gva, Needed(in input)), linear, IsUser(in input));
        }

        var access = (MemoryAccess)(Needed(in input) & (AccessRights.Read | AccessRights.Write | AccessRights.Execute));
        TranslationStatus first = mmu.Translate(gva, access, out HostPhysicalAddress hpa);
        TranslationStatus second = mmu.Translate(gva, access, out HostPhysicalAddress again);
        LiteralOutcome outcome = Tell(mmu.TranslateBeyondFront(gva, access), linear, IsUser(in input));
        bool isOk = first == TranslationStatus.Ok;
        bool isSame = first == second && isOk == (outcome.Kind == LiteralKind.Ok)
                      && (!isOk || (hpa == again && hpa.Value == outcome.HostPhysical));
        Complaint = isSame ? null : $"the same access gave {first} {hpa}, then {second} {again}, then {outcome}";
        return outcome;
    }

    private static AccessRights Needed(in LiteralInput input)
    {
        AccessRights needed = input.Access switch
        {
            LiteralAccess.Read => AccessRights.Read,
            LiteralAccess.Write => AccessRights.Write,
            _ => AccessRights.Execute,
        };
        needed |= input.ShadowStack ? AccessRights.ShadowStack : AccessRights.None;
        return input.ImplicitSupervisor ? needed
            : input.Cpl == 3 ? needed | AccessRights.User
            : input.Ac ? needed | AccessRights.AlignmentCheck
            : needed;
    }

    private static bool IsUser(in LiteralInput input) => input.Cpl == 3 && !input.ImplicitSupervisor;

    private static LiteralOutcome Tell(Translation translation, ulong linear, bool user)
    {
        if (translation.Status == TranslationStatus.Ok)
        {
            // A TLB's answer is the 4 KiB piece, which has some of these bits already; a source's is the page.
            ulong offset = linear & (translation.Size.SizeBytes() - 1);
            return new LiteralOutcome
            {
                Kind = LiteralKind.Ok,
                GuestPhysical = translation.GuestPhysical | offset,
                HostPhysical = translation.HostPage | offset,
                PageShift = (int)translation.Size,
                Readable = (translation.Rights & AccessRights.Read) != 0,
                Writable = (translation.Rights & AccessRights.Write) != 0,
                Executable = (translation.RightsOf(user) & AccessRights.Execute) != 0,
                User = (translation.Rights & AccessRights.User) != 0,
                Global = translation.IsGlobal,
                Key = translation.ProtectionKey,
            };
        }

        return new LiteralOutcome
        {
            Kind = KindOf(translation),
            Code = translation.FaultCode,
            GuestPhysical = translation.GuestPhysical,
            TableAccess = translation.IsTableAccess,
            Convertible = translation.IsConvertible,
        };
    }

    private static LiteralKind KindOf(Translation fault)
    {
        bool isNested = fault.FaultCode >> 32 != 0;
        return fault.Status switch
        {
            TranslationStatus.GuestNotPresent or TranslationStatus.GuestProtection or TranslationStatus.GuestReservedBit
                => LiteralKind.PageFault,
            TranslationStatus.PageModificationLogFull => LiteralKind.PmlFull,
            TranslationStatus.SecondStageMisconfigured when !isNested => LiteralKind.EptMisconfiguration,
            _ => isNested ? LiteralKind.NestedPageFault : LiteralKind.EptViolation,
        };
    }

    private NestedStage<TFormat, HostTableReader> Nested<TFormat>(in LiteralStageInput stage)
        where TFormat : struct, IPageTableFormat
        => new(
            new HostTableReader(Memory), stage.Root, context: 1, _isCached ? _nestedTlb : null, _isCached ? _stageCaches : null,
            StageRulesOf(in stage), stage is { PmlOn: true, Kind: LiteralStage.Ept } ? Log : null);

    private static PagingStructureCaches Caches(CachedTable holds)
        => new(holds, Small(), Small(), Small(), Small());

    private static TagArray Small() => new(new SetGeometry(8, 2));

    private GuestRules GuestRulesOf(in LiteralInput input)
    {
        (bool, int, bool, bool) key = (input.Amd, input.MaxPhysical, input.Pages1G, input.Pse36);
        if (!_guestRules.TryGetValue(key, out GuestRules? rules))
        {
            var features = new ProcessorFeatures
            {
                Vendor = input.Amd ? ProcessorVendor.Amd : ProcessorVendor.Intel,
                PhysicalAddressBits = input.MaxPhysical,
                Pages1G = input.Pages1G,
                PageSizeExtension36 = input.Pse36,
            };
            rules = new GuestRules(features, default);
            _guestRules.Add(key, rules);
        }

        return rules;
    }

    private SecondStageRules StageRulesOf(in LiteralStageInput stage)
    {
        LiteralStageInput key = stage with { PmlOn = false, PmlIndex = 0, Root = 0, Levels = 0 };
        if (!_stageRules.TryGetValue(key, out SecondStageRules? rules))
        {
            rules = stage.Kind == LiteralStage.Ept
                ? SecondStageRules.Ept(new EptSettings
                {
                    PhysicalAddressBits = stage.MaxPhysical,
                    Pages1G = stage.Pages1G,
                    AccessedAndDirty = stage.EptAccessedDirty,
                    ExecuteOnlyPages = stage.EptExecuteOnly,
                    ModeBasedExecute = stage.EptModeBased,
                })
                : SecondStageRules.Npt(new NptSettings
                {
                    Host = new ProcessorFeatures
                    {
                        Vendor = ProcessorVendor.Amd, PhysicalAddressBits = stage.MaxPhysical, Pages1G = stage.Pages1G,
                    },
                    NoExecute = stage.NptNoExecute,
                    GuestModeExecuteTrap = stage.NptGmet,
                });
            _stageRules.Add(key, rules);
        }

        return rules;
    }
}
