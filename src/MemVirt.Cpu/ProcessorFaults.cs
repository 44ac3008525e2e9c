using System.Runtime.CompilerServices;
using MemVirt.Cpu.Decoding;
using MemVirt.Cpu.Interrupts;

namespace MemVirt.Cpu;

/// <content>Exceptions: raised as a value that waits, delivered between blocks.</content>
internal sealed unsafe partial class Processor
{
    private int _pending = Vector.None;
    private uint _pendingError;
    private ulong _pendingAddress;
    private bool _pendingIsTrap;
    private bool _pendingIsSoftware;

    /// <summary>The vector of the exception that waits, or <see cref="Vector.None"/>.</summary>
    internal int Pending => _pending;

    /// <summary>A fault of an instruction: it has done nothing, RIP is its own.</summary>
    /// <param name="op">The instruction; null where RIP is right already.</param>
    /// <param name="vector">The vector.</param>
    /// <param name="error">The error code, where there is one.</param>
    /// <returns>Null: the block is left.</returns>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal Op* Raise(Op* op, int vector, uint error = 0)
    {
        if (op != null)
        {
            LeaveAt(op);
        }

        // Of the faults, a debug exception alone leaves RF as it is in the image that is pushed (Intel SDM Vol. 3B §17.3.1.1).
        (_pending, _pendingError, _pendingIsTrap, _pendingIsSoftware) = (vector, error, vector == Vector.Debug, false);
        return null;
    }

    /// <summary>#PF.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal Op* RaisePageFault(Op* op, ulong linear, uint error)
    {
        _pendingAddress = linear;
        return Raise(op, Vector.PageFault, error);
    }

    /// <summary>A fault, or a trap, between instructions: RIP is right.</summary>
    internal void RaiseBetween(int vector) => Raise(null, vector);

    /// <summary>INT n, INT3, INTO, INT1: RIP is the next instruction's.</summary>
    internal Op* RaiseSoftware(Op* op, int vector, bool isGateChecked = true)
    {
        ulong next = RipOf(op->Next);
        LeaveAt(op);
        _softwareReturn = next;
        (_pending, _pendingError, _pendingIsTrap, _pendingIsSoftware) = (vector, 0, true, isGateChecked);
        _pendingIsInstruction = true;
        return null;
    }

    private ulong _softwareReturn;
    private bool _pendingIsInstruction;

    /// <summary>Delivers the exception that waits, and those that its delivery raises.</summary>
    private void DeliverPending()
    {
        int first = Vector.None;
        while (_pending != Vector.None)
        {
            int vector = _pending;
            uint error = _pendingError;
            _pending = Vector.None;
            if (first != Vector.None)
            {
                if (first == Vector.DoubleFault)
                {
                    TripleFaultRip = Rip;
                    Stop(null, ProcessorStop.TripleFault);
                    return;
                }

                bool isDouble = Vector.IsContributory(first)
                    ? Vector.IsContributory(vector)
                    : first == Vector.PageFault && (vector == Vector.PageFault || Vector.IsContributory(vector));
                if (isDouble)
                {
                    if (vector == Vector.PageFault)
                    {
                        Cr2 = _pendingAddress;
                    }

                    (vector, error) = (Vector.DoubleFault, 0);
                }
            }

            if (vector == Vector.PageFault)
            {
                Cr2 = _pendingAddress;
                Observe(ExecutionEvent.PageFault);
            }

            if (vector == Vector.Debug)
            {
                Debug.Dr7 &= ~GeneralDetect;
            }

            bool isInstruction = _pendingIsInstruction && first == Vector.None;
            bool isSoftware = isInstruction && _pendingIsSoftware;
            bool isTrap = _pendingIsTrap || isInstruction;
            _pendingIsInstruction = false;
            first = vector;
            Statistics.Vectors[vector]++;
            ulong at = Rip;
            if (isInstruction)
            {
                Rip = _softwareReturn;
            }

            bool delivered = InterruptDelivery.TryDeliver(
                this, vector, !isInstruction && Vector.HasErrorCode(vector), error, isSoftware, isExternal: !isSoftware, isTrap);
            if (!delivered)
            {
                Rip = at;
                if (isSoftware)
                {
                    // What INT n meets is a fault of INT n.
                    first = Vector.None;
                }
            }
            else if (isInstruction)
            {
                Remaining--;
            }
        }
    }

    /// <summary>Where the processor was when it shut down.</summary>
    internal ulong TripleFaultRip { get; private set; }

    private bool _isNonMaskablePending;
    private bool _isNonMaskableBlocked;

    /// <summary>An NMI arrives: one waits while another is served (Intel SDM Vol. 3A §6.7).</summary>
    internal void RequestNonMaskable()
    {
        _isNonMaskablePending = true;
        RequestAttention();
    }

    /// <summary>IRET: the next NMI may come.</summary>
    internal void UnblockNonMaskable() => _isNonMaskableBlocked = false;

    private void DeliverNonMaskable()
    {
        _isNonMaskablePending = false;
        _isNonMaskableBlocked = true;
        DeliverInterrupt(Vector.NonMaskable);
    }

    private void DeliverInterrupt(byte vector)
    {
        Statistics.ExternalInterrupts++;
        Observe(ExecutionEvent.Interrupt);
        Statistics.Vectors[vector]++;
        if (!InterruptDelivery.TryDeliver(this, vector, hasError: false, 0, isSoftware: false, isExternal: true, isTrap: true))
        {
            DeliverPending();
        }
    }
}
