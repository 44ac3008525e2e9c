using MemVirt.Core.Access;
using MemVirt.Core.Addresses;
using MemVirt.Core.Faults;
using MemVirt.Core.Formats;
using MemVirt.Core.Invalidation;
using MemVirt.Core.Mapping;
using MemVirt.Core.Slots;
using MemVirt.Core.Sources;
using MemVirt.Core.Stages;
using MemVirt.Core.Tests.Tlb;
using MemVirt.Core.Walking;

namespace MemVirt.Core.Tests.Slots;

/// <summary>
/// A virtual processor on a thread of its own: stores growing numbers to its own word of random pages, through an MMU.
/// </summary>
internal sealed class GuestProcessor<TFormat>
    where TFormat : struct, IPageTableFormat
{
    private readonly MigrationBed<TFormat> _bed;
    private readonly int _number;
    private readonly SplitMix _random;
    private readonly InvalidationMailbox _mailbox;
    private readonly Mmu<TwoStageSource<X64FourLevel, NestedStage<TFormat, HostTableReader>, HostTableReader>> _mmu;
    private readonly Thread _thread;
    private bool _stop;
    private long _stores;

    internal GuestProcessor(MigrationBed<TFormat> bed, int number, ulong seed)
    {
        (_bed, _number, _random) = (bed, number, new SplitMix(seed + (ulong)number));
        _mailbox = bed.Bus[number];
        _mmu = bed.NewMmu();
        _thread = new Thread(Run);
        _thread.Start();
    }

    /// <summary>The last number stored to each page of each slot.</summary>
    internal Dictionary<(int Slot, long Page), ulong> Stored { get; } = [];

    internal long Stores => Volatile.Read(ref _stores);

    /// <summary>What went wrong on its thread.</summary>
    internal Exception? Failure { get; private set; }

    /// <summary>The byte, within a page, of the word that a processor stores to.</summary>
    internal static ulong WordOf(int processor) => 0x40 + ((ulong)processor * 8);

    internal void Stop()
    {
        Volatile.Write(ref _stop, true);
        _thread.Join();
    }

    private void Run()
    {
        try
        {
            _mailbox.Resume(_mmu);
            while (!Volatile.Read(ref _stop))
            {
                if (_mailbox.HasPending)
                {
                    _mailbox.Service(_mmu);
                }

                Access();
            }
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            Failure = exception;
        }
        finally
        {
            _mailbox.Park();
        }
    }

    private void Access()
    {
        // Few slots and pages, often the same ones: hits of translations that are about to be taken away.
        int id = 1 + _random.Below(3);
        if (!_bed.Pager.Slots.Current.TryGet(id, out MemorySlot? slot))
        {
            return;
        }

        long page = _random.Chance(70) ? _random.Below(16) : _random.Below((int)slot.Pages);
        MemoryAccess access = _random.Chance(25) ? MemoryAccess.Read : MemoryAccess.Write;
        ulong offset = WordOf(_number);
        var gva = GuestVirtualAddress.Create(slot.Start.Value + ((ulong)page << 12) + offset);
        if (TryTranslate(gva, access, out ulong hpa) && access == MemoryAccess.Write)
        {
            ulong value = (ulong)_stores + 1;
            _bed.Memory.Write(hpa, value);
            Stored[(id, page)] = value;
            Volatile.Write(ref _stores, (long)value);
        }
    }

    /// <summary>
    /// False where the slot has gone from there meanwhile: the guest's access ends at a device that is not there.
    /// </summary>
    private bool TryTranslate(GuestVirtualAddress gva, MemoryAccess access, out ulong hpa)
    {
        while (true)
        {
            if (_mmu.Translate(gva, access, out HostPhysicalAddress found) == TranslationStatus.Ok)
            {
                hpa = found.Value;
                return true;
            }

            Translation fault = _mmu.TranslateBeyondFront(gva, access);
            if (fault.Status == TranslationStatus.Ok)
            {
                continue;
            }

            if (fault.Status is not (TranslationStatus.SecondStageNotPresent or TranslationStatus.SecondStageProtection))
            {
                throw new InvalidOperationException($"{access} of {gva} ended in {fault.Status}.");
            }

            // A walk that must set accessed bits of guest tables needs to write to them.
            _mailbox.Park();
            SlotFault kind = _bed.Pager.HandleFault(
                fault.GuestPhysical, fault.IsTableAccess ? MemoryAccess.Write : access, out PendingInvalidation pending);
            _bed.Finish(pending);
            _mailbox.Resume(_mmu);
            if (kind is SlotFault.NoSlot or SlotFault.ReadOnlySlot)
            {
                hpa = 0;
                return false;
            }
        }
    }
}
