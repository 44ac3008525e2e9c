namespace MemVirt.Cpu.Interrupts;

/// <summary>The vectors of exceptions (Intel SDM Vol. 3A table 6-1).</summary>
internal static class Vector
{
    public const int DivideError = 0;
    public const int Debug = 1;
    public const int NonMaskable = 2;
    public const int Breakpoint = 3;
    public const int Overflow = 4;
    public const int BoundRange = 5;
    public const int InvalidOpcode = 6;
    public const int DeviceNotAvailable = 7;
    public const int DoubleFault = 8;
    public const int InvalidTaskState = 10;
    public const int SegmentNotPresent = 11;
    public const int StackFault = 12;
    public const int GeneralProtection = 13;
    public const int PageFault = 14;
    public const int FloatingPoint = 16;
    public const int AlignmentCheck = 17;
    public const int SimdFloatingPoint = 19;

    /// <summary>None.</summary>
    public const int None = -1;

    /// <summary>Whether an exception pushes an error code.</summary>
    public static bool HasErrorCode(int vector) => vector is DoubleFault or (>= InvalidTaskState and <= PageFault) or AlignmentCheck;

    /// <summary>Whether an exception is contributory (Intel SDM Vol. 3A table 6-4).</summary>
    public static bool IsContributory(int vector) => vector is DivideError or (>= InvalidTaskState and <= GeneralProtection);
}
