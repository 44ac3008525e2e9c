using MemVirt.Cpu.Machine.Timers;

namespace MemVirt.Cpu.Machine.Interrupts.Apic;

/// <summary>
/// A local APIC's registers and what they do, by whatever way they are reached (Intel SDM Vol. 3A §11.4 to §11.9). It is the only one in
/// the machine, with ID 0: an interrupt for another processor goes nowhere. There is no I/O APIC to tell of an EOI.
/// </summary>
internal sealed class ApicUnit
{
    // An integrated APIC whose last LVT entry is number 5: no CMCI. EOI broadcasts are not suppressed.
    private const uint VersionRegister = 0x5_0014;
    private const uint SoftwareEnable = 1U << 8;
    private const uint SendIllegalVector = 1U << 5;
    private const uint ReceiveIllegalVector = 1U << 6;
    private const uint IllegalRegister = 1U << 7;
    private const int FirstLegalVector = 16;

    private readonly VectorSet _requests = new();
    private readonly VectorSet _inService = new();
    private readonly VectorSet _levelTriggered = new();
    private readonly LocalVectorTable _vectors = new();
    private readonly ApicTimer _timer;
    private uint _taskPriority;
    private uint _logicalDestination;
    private uint _destinationFormat;
    private uint _spurious;
    private uint _command;
    private uint _commandHigh;
    private uint _errors;
    private uint _errorStatus;
    private bool _lint0;

    /// <summary>A unit after reset.</summary>
    /// <param name="clock">The virtual time.</param>
    /// <param name="timerHertz">The timer's frequency before it is divided.</param>
    /// <param name="timeStamps">What deadlines are told in.</param>
    /// <param name="changed">Called where the timer made an interrupt.</param>
    internal ApicUnit(MachineClock clock, ulong timerHertz, TimeStampCounter timeStamps, Action changed)
    {
        _timer = new ApicTimer(clock, timerHertz, timeStamps, () =>
        {
            Accept((byte)_vectors[ApicRegister.LvtTimer], isLevel: false);
            changed();
        });
        Reset();
    }

    /// <summary>Called where an interrupt command or LINT0 is an NMI; null for nobody.</summary>
    internal Action? NmiRequested { get; set; }

    /// <summary>Called where an interrupt command is an INIT; null for nobody.</summary>
    internal Action? InitRequested { get; set; }

    /// <summary>How it is reached, which ID, LDR and ICR depend on.</summary>
    internal ApicMode Mode { get; set; } = ApicMode.XApic;

    /// <summary>A request has a priority class above the processor's.</summary>
    internal bool HasInterrupt { get; private set; }

    /// <summary>SVR bit 8.</summary>
    internal bool IsSoftwareEnabled => (_spurious & SoftwareEnable) != 0;

    /// <summary>The vector for a processor that comes for an interrupt that is gone.</summary>
    internal byte SpuriousVector => (byte)_spurious;

    /// <summary>LINT0 lets the vectors of an 8259A through: virtual-wire mode.</summary>
    internal bool IsVirtualWire
        => !_vectors.IsMasked(ApicRegister.LvtLint0) && _vectors.ModeOf(ApicRegister.LvtLint0) == DeliveryMode.ExtInt;

    /// <summary>TPR.</summary>
    internal uint TaskPriority
    {
        get => _taskPriority;
        set
        {
            _taskPriority = value & 0xFF;
            Prioritise();
        }
    }

    /// <summary>IA32_TSC_DEADLINE.</summary>
    internal ulong Deadline
    {
        get => _timer.Deadline;
        set => _timer.Deadline = value;
    }

    // The higher class of TPR and of what is in service; of equals, TPR with its sub-class (§11.8.3.1).
    private uint ProcessorPriority
    {
        get
        {
            uint inService = (uint)Math.Max(_inService.Highest, 0) & 0xF0;
            return (_taskPriority & 0xF0) >= inService ? _taskPriority : inService;
        }
    }

    private uint LogicalDestination => Mode == ApicMode.X2Apic ? 1 : _logicalDestination;

    /// <summary>Power-up or INIT, of the registers (§11.4.7.1).</summary>
    internal void Reset()
    {
        _requests.Clear();
        _inService.Clear();
        _levelTriggered.Clear();
        _vectors.Reset();
        _timer.Reset();
        _taskPriority = 0;
        _logicalDestination = 0;
        _destinationFormat = uint.MaxValue;
        _spurious = 0xFF;
        _command = 0;
        _commandHigh = 0;
        _errors = 0;
        _errorStatus = 0;
        Prioritise();
    }

    /// <summary>Gives the highest request to the processor. There must be one.</summary>
    internal byte Take()
    {
        int vector = _requests.Highest;
        _requests.Set(vector, false);
        _inService.Set(vector, true);
        Prioritise();
        return (byte)vector;
    }

    /// <summary>The 8259A's output, which is LINT0.</summary>
    internal void SetLint0(bool level)
    {
        bool rises = level && !_lint0;
        _lint0 = level;
        if (!rises || _vectors.IsMasked(ApicRegister.LvtLint0))
        {
            return;
        }

        switch (_vectors.ModeOf(ApicRegister.LvtLint0))
        {
            case DeliveryMode.Fixed:
                Accept((byte)_vectors[ApicRegister.LvtLint0], _vectors.IsLevel(ApicRegister.LvtLint0));
                break;
            case DeliveryMode.Nmi:
                NmiRequested?.Invoke();
                break;
        }
    }

    /// <summary>Reads a register that there is; one that is only written reads as 0.</summary>
    internal uint Read(int register) => register switch
    {
        ApicRegister.Version => VersionRegister,
        ApicRegister.TaskPriority => _taskPriority,
        ApicRegister.ProcessorPriority => ProcessorPriority,
        ApicRegister.LogicalDestination => LogicalDestination,
        ApicRegister.DestinationFormat => _destinationFormat,
        ApicRegister.SpuriousInterrupt => _spurious,
        >= ApicRegister.InService and < ApicRegister.TriggerMode => _inService.Register(register & 7),
        >= ApicRegister.TriggerMode and < ApicRegister.InterruptRequest => _levelTriggered.Register(register & 7),
        >= ApicRegister.InterruptRequest and <= ApicRegister.InterruptRequestLast => _requests.Register(register & 7),
        ApicRegister.ErrorStatus => _errorStatus,
        ApicRegister.Command => _command,
        ApicRegister.CommandHigh => _commandHigh,
        >= ApicRegister.LvtTimer and <= ApicRegister.LvtError => _vectors[register],
        ApicRegister.InitialCount => _timer.InitialCount,
        ApicRegister.CurrentCount => _timer.CurrentCount,
        ApicRegister.DivideConfiguration => _timer.DivideConfiguration,
        _ => 0,
    };

    /// <summary>Writes a register that there is; one that is only read stays as it is.</summary>
    internal void Write(int register, uint value)
    {
        switch (register)
        {
            case ApicRegister.TaskPriority:
                TaskPriority = value;
                break;
            case ApicRegister.EndOfInterrupt:
                EndInterrupt();
                break;
            case ApicRegister.LogicalDestination:
                _logicalDestination = value & 0xFF00_0000;
                break;
            case ApicRegister.DestinationFormat:
                _destinationFormat = value | 0x0FFF_FFFF;
                break;
            case ApicRegister.SpuriousInterrupt:
                WriteSpurious(value);
                break;
            case ApicRegister.ErrorStatus:
                _errorStatus = _errors;
                _errors = 0;
                break;
            case ApicRegister.Command:
                Send(value);
                break;
            case ApicRegister.CommandHigh:
                _commandHigh = Mode == ApicMode.X2Apic ? value : value & 0xFF00_0000;
                break;
            case >= ApicRegister.LvtTimer and <= ApicRegister.LvtError:
                WriteVector(register, value);
                break;
            case ApicRegister.InitialCount:
                _timer.InitialCount = value;
                break;
            case ApicRegister.DivideConfiguration:
                _timer.DivideConfiguration = value;
                break;
            case ApicRegister.SelfIpi:
                SendToSelf((byte)value);
                break;
        }
    }

    /// <summary>An access to a register that there is not.</summary>
    internal void RejectRegister() => Note(IllegalRegister);

    private void WriteSpurious(uint value)
    {
        _spurious = value & 0x3FF;
        if (!IsSoftwareEnabled)
        {
            _vectors.MaskAll();
            _timer.Configure(_vectors[ApicRegister.LvtTimer]);
        }
    }

    private void WriteVector(int register, uint value)
    {
        _vectors[register] = IsSoftwareEnabled ? value : value | LocalVectorTable.Masked;
        if (register == ApicRegister.LvtTimer)
        {
            _timer.Configure(_vectors[register]);
        }
    }

    // A level that LINT0 made and that still stands is the next interrupt.
    private void EndInterrupt()
    {
        int vector = _inService.Highest;
        if (vector == VectorSet.None)
        {
            return;
        }

        _inService.Set(vector, false);
        bool repeats = _lint0 && _levelTriggered.Has(vector) && !_vectors.IsMasked(ApicRegister.LvtLint0);
        _levelTriggered.Set(vector, false);
        Prioritise();
        if (repeats)
        {
            Accept((byte)vector, isLevel: true);
        }
    }

    private void Send(uint low)
    {
        _command = low & 0x000C_CFFF;
        uint destination = Mode == ApicMode.X2Apic ? _commandHigh : _commandHigh >> 24;
        var command = new InterruptCommand(_command, destination);
        bool isForSelf = command.ReachesSelf(Mode, LogicalDestination, _destinationFormat);
        switch (command.Mode)
        {
            case DeliveryMode.Fixed or DeliveryMode.LowestPriority:
                NoteIllegal(command.Vector);
                if (isForSelf)
                {
                    Accept(command.Vector, isLevel: false);
                }

                break;
            case DeliveryMode.Nmi when isForSelf:
                NmiRequested?.Invoke();
                break;
            case DeliveryMode.Init when isForSelf && !command.IsDeassert:
                InitRequested?.Invoke();
                break;
        }
    }

    private void SendToSelf(byte vector)
    {
        NoteIllegal(vector);
        Accept(vector, isLevel: false);
    }

    private void NoteIllegal(byte vector)
    {
        if (vector < FirstLegalVector)
        {
            Note(SendIllegalVector);
        }
    }

    // While software has it disabled, the APIC accepts none (§11.4.7.2).
    private void Accept(byte vector, bool isLevel)
    {
        if (!IsSoftwareEnabled)
        {
            return;
        }

        if (vector < FirstLegalVector)
        {
            Note(ReceiveIllegalVector);
            return;
        }

        _requests.Set(vector, true);
        _levelTriggered.Set(vector, isLevel);
        Prioritise();
    }

    // An error of the error interrupt's own vector is noted, and no more.
    private void Note(uint error)
    {
        _errors |= error;
        byte vector = (byte)_vectors[ApicRegister.LvtError];
        if (_vectors.IsMasked(ApicRegister.LvtError))
        {
            return;
        }

        if (vector < FirstLegalVector)
        {
            _errors |= ReceiveIllegalVector;
        }
        else
        {
            Accept(vector, isLevel: false);
        }
    }

    private void Prioritise() => HasInterrupt = _requests.Highest >> 4 > (int)(ProcessorPriority >> 4);
}
